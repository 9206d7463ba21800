"""What every Python test of the tree shares."""
import pathlib

import pytest

pytest.register_assert_rewrite("exec_cases")

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root():
    """The root of the source tree."""
    return ROOT


@pytest.fixture(scope="session")
def gyre():
    """The built program; a test that needs it fails, never skips, when there is none."""
    program = ROOT / "build" / "gyre"
    assert program.exists(), "build/gyre is missing: run 'make build' first"
    return program
