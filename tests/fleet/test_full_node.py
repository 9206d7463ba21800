"""A node whose disk is full: what its tasks say is lost, and that is held against none of them."""
import subprocess
import time

import pytest

from cloud import until

HEARTBEAT_S = 1


@pytest.fixture
def full_agent(fleet):
    """A node whose tasks are kept on a disk of 2 MiB; gives that folder."""
    agent = fleet.new_agent("a")
    disk = agent.folder / "agent"
    disk.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk],
                             capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    fleet.agent("a")
    yield disk
    agent.end()
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill_up(file):
    with open(file, "wb", buffering=0) as filler:
        try:
            while filler.write(b"x" * 4096):
                pass
        except OSError:
            pass


def stalls(fleet):
    return [one for one in fleet.json("incidents")["incidents"]
            if one["symptom"] == "task_stalled"]


def test_a_job_that_cannot_write_its_log_does_not_hang(fleet, full_agent):
    go = fleet.folder / "go"
    said = fleet.folder / "said"
    # It works on, though its lines are lost; told to, it really hangs.
    job = fleet.submit(f"n=0; while [ ! -e {go} ]; do echo step; n=$((n+1)); echo $n > {said}; "
                       "sleep 0.2; done; exec sleep 1000", progress={"heartbeat": "2s"},
                       retry={"on": ["interruption"], "max": 0}, checkpoint={"grace": "1s"})
    fleet.wait(job, "running")
    until(said.exists, "it works")
    fill_up(full_agent / "filler")
    end = time.monotonic() + 8 * HEARTBEAT_S
    until(lambda: time.monotonic() > end, "time passes")
    assert stalls(fleet) == [] and fleet.job(job)["state"] == "running", str(
        fleet.job(job)["reason_detail"])
    go.touch()
    (full_agent / "filler").unlink()
    assert fleet.wait(job)["state"] == "failed"
    [incident] = stalls(fleet)
    assert f"task 0 of job {job} made no progress" in incident["evidence"]
    assert incident["evidence"].endswith("in attempt 1")
