"""Tests that need a real NVIDIA GPU. Without one each is skipped, and says why."""
import ctypes
import subprocess

import pytest

from cloud import Cloud


def why_not():
    try:
        ctypes.CDLL("libcuda.so.1")
        found = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60,
                               check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no NVIDIA GPU here: {error}"
    return None if found.returncode == 0 else f"nvidia-smi fails: {found.stdout}{found.stderr}"


@pytest.fixture
def cloud(gyre, tmp_path):
    """A server with this machine's own GPUs."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    one = Cloud(gyre, tmp_path).up("--fsync", "normal")
    print("hardware:", one.said)
    yield one
    one.stop_all()
    one.end()
