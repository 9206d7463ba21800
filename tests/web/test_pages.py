"""Each test of pages.test.mjs: the dashboard in a browser, on a real server."""
import os
import pathlib
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

HERE = pathlib.Path(__file__).parent
NAMES = re.findall(r"^  test\('(.*?)', async", (HERE / "pages.test.mjs").read_text(), re.M)
PATIENCE_S = 420


@pytest.fixture(scope="session")
def outcomes(request, root, node_modules):
    """The failure of each test by its name, None for one that passed."""
    assert node_modules
    if not shutil.which("chromium"):
        pytest.skip("chromium is not installed: the dashboard's pages are not tested")
    program = os.environ.get("GYRE_BIN") or str(request.getfixturevalue("gyre"))
    ran = subprocess.run(["node", "--test", "--test-reporter=junit", str(HERE / "pages.test.mjs")],
                         cwd=root, env={**os.environ, "GYRE_BIN": program}, capture_output=True,
                         text=True, timeout=PATIENCE_S, check=False)
    assert "<testcase" in ran.stdout, ran.stdout + ran.stderr
    found = {}
    report = re.sub(r"[\x00-\x08\x0b-\x1f]", "", ran.stdout)  # a browser's messages have colours
    for case in ElementTree.fromstring(report).iter("testcase"):
        failure = case.find("failure")
        told = None if failure is None else failure.text or failure.get("message")
        found[case.get("name")] = told
    return found


def test_there_are_tests():
    assert len(NAMES) > 10


@pytest.mark.parametrize("name", NAMES)
def test_page(outcomes, name):
    assert name in outcomes, "it did not run"
    assert outcomes[name] is None, outcomes[name]
