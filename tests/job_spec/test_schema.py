"""The published schema takes and refuses what the reader does: both are held to the same lines.

src/codec/job_spec_schema_test.cc asks the reader.
"""
import json
import pathlib

import pytest

jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is not installed")

HERE = pathlib.Path(__file__).parent
SCHEMA = json.loads((HERE / "../../api/job-spec.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def lines(name):
    return (HERE / name).read_text(encoding="utf-8").splitlines()


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("line", lines("good.jsonl"))
def test_good_specs_pass(line):
    assert [error.message for error in VALIDATOR.iter_errors(json.loads(line))] == []


@pytest.mark.parametrize("line", lines("bad.jsonl"))
def test_bad_specs_do_not(line):
    assert not VALIDATOR.is_valid(json.loads(line))
