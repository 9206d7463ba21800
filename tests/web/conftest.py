"""Tests of the dashboard: its build, and its pages in a browser."""
import os
import re
import shutil
import subprocess

import pytest

NODE_MIN = (20, 19)
INSTALL_S = 300


def node_version():
    found = shutil.which("node") and shutil.which("npm")
    said = subprocess.run(["node", "--version"], capture_output=True, text=True,
                          check=False).stdout if found else ""
    match = re.match(r"v(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else (0, 0)


@pytest.fixture(scope="session")
def node_modules(root):
    """web/node_modules by package-lock.json; skips where Node.js or its registry is missing."""
    if node_version() < NODE_MIN:
        pytest.skip("Node.js 20.19 or newer with npm is not installed: the dashboard is not tested")
    folder = root / "web/node_modules"
    stamp = folder / ".package-lock.json"
    lock = root / "web/package-lock.json"
    if not stamp.exists() or stamp.stat().st_mtime < lock.stat().st_mtime:
        ran = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=root / "web",
                             capture_output=True, text=True, timeout=INSTALL_S, check=False)
        if ran.returncode != 0:
            pytest.skip(f"npm ci failed, the dashboard is not tested: {ran.stderr[-300:]}")
        os.utime(stamp)
    return folder
