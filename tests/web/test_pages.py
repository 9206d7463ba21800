"""Each test of *.test.mjs: the dashboard in a browser, on a real server."""
import os
import pathlib
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

HERE = pathlib.Path(__file__).parent
FILES = sorted(HERE.glob("*.test.mjs"))
NAMES = [name for file in FILES
         for name in re.findall(r"^  test\('(.*?)', async", file.read_text(encoding="utf-8"), re.M)]
PATIENCE_S = 1800


@pytest.fixture(scope="session")
def outcomes(request, root, node_modules):
    """The failure of each test by its name, None for one that passed."""
    assert node_modules
    if not shutil.which("chromium"):
        pytest.skip("chromium is not installed: the dashboard's pages are not tested")
    program = os.environ.get("GYRE_BIN") or str(request.getfixturevalue("gyre"))
    # One browser at a time: what they wait for is not to hang on how many there are.
    command = ["node", "--test", "--test-concurrency=1", "--test-reporter=junit", *FILES]
    ran = subprocess.run(command, cwd=root, env={**os.environ, "GYRE_BIN": program},
                         timeout=PATIENCE_S, capture_output=True, text=True, check=False)
    assert "<testcase" in ran.stdout, ran.stdout + ran.stderr
    found = {}
    report = re.sub(r"[\x00-\x08\x0b-\x1f]", "", ran.stdout)  # a browser's messages have colours
    for case in ElementTree.fromstring(report).iter("testcase"):
        failure = case.find("failure")
        told = None if failure is None else failure.text or failure.get("message")
        found[case.get("name")] = told
    return found


def test_there_are_tests():
    assert len(NAMES) > 10 and len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_page(outcomes, name):
    assert name in outcomes, "it did not run"
    assert outcomes[name] is None, outcomes[name]
