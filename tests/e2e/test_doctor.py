"""What `gyre doctor` says of checkpoints of any process, with stand-ins for the programs."""
import json
import os
import subprocess

import pytest

from cloud import PATIENCE_S

NOT_USED = "; Gyre moves jobs by their own checkpoint signal and does not use it"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may ask CRIU what it can do")


class Host:
    """A machine with such programs on its PATH."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.tools = folder / "tools"
        self.tools.mkdir()

    def has(self, name, script):
        path = self.tools / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def says_of(self, subject):
        environment = {**os.environ, "PATH": f"{self.tools}:/usr/bin:/bin",
                       "GYRE_STATE": str(self.folder / "state")}
        ran = subprocess.run([self.program, "doctor", "-o", "json"], env=environment,
                             capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        [found] = [one for one in json.loads(ran.stdout)["findings"] if one["subject"] == subject]
        assert found["level"] == "ok" and found["remedy"] == ""
        assert found["detail"].endswith(NOT_USED) and "\n" not in found["detail"]
        return found["detail"].removesuffix(NOT_USED)


@pytest.fixture
def host(gyre, tmp_path):
    return Host(gyre, tmp_path)


def test_it_says_what_is_not_there(host):
    # A CRIU that is installed may be found all the same: this one is not.
    host.has("criu", "exit 127")
    assert host.says_of("criu") == "not on PATH"
    assert host.says_of("CUDA checkpoint").endswith("cuda-checkpoint on PATH")
    host.has("cuda-checkpoint", "exit 0")
    assert "cuda-checkpoint" not in host.says_of("CUDA checkpoint")


@as_root
def test_it_asks_criu_whether_it_works_here(host):
    host.has("criu", '[ "$1" = check ] && echo "Looks good." || echo "Version: 3.17.1"')
    assert host.says_of("criu") == "3.17.1, and its check finds that it works here"
    host.has("criu", """[ "$1" = check ] || { echo "Version: 3.17.1"; exit 0; }
echo "Error (criu/util.c:642): exited, status=1" >&2
printf 'Error (criu/vdso.c:381): vdso: \\033[31mUnexpected \\377 bounds\\n' >&2
echo "Error (criu/crtools.c:260): Could not initialize" >&2
exit 1""")
    assert host.says_of("criu") == ("3.17.1; its check failed with exit code 1: "
                                    "Error (criu/vdso.c:381): vdso: ?[31mUnexpected ? bounds")


@as_root
def test_a_criu_that_hangs_or_babbles_keeps_nobody(host):
    host.has("criu", '[ "$1" = check ] && sleep 1000; echo "Version: 3.17.1"')
    assert host.says_of("criu") == (
        "3.17.1; its check failed: it did not end in time, and was ended")
    host.has("criu", '[ "$1" = check ] && head -c 3000000 /dev/zero && exit 1; echo "Version: 1"')
    said = host.says_of("criu")
    assert said.startswith("1; its check failed with exit code 1: ?") and len(said) < 300
