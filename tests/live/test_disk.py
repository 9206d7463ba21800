"""A disk that fills up, or is slow: nothing that was accepted is lost, and the server goes on."""
import concurrent.futures
import pathlib
import shutil
import subprocess

import pytest

from cloud import until


@pytest.fixture
def small_disk(tmp_path):
    """The server's state is on a disk of 6 MiB; gives what makes it larger."""
    disk = tmp_path / "state"
    disk.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk],
                             capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield lambda: subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    subprocess.run(["umount", "--lazy", disk], check=True)


def storage(server):
    return server.http("GET", "/healthz")[2]["storage"]


def submit_until_refused(server):
    """The ids of the jobs that were taken in, and the refusal."""
    accepted = []
    while True:
        status, answer = server.request("POST", "/v1/jobs", {
            "name": "fill", "command": ["true"], "resources": {"gpu": 4},
            "env": {"FILL": "x" * 20_000}})
        if status != 201:
            return accepted, status, answer
        accepted.append(answer["id"])


def test_while_little_room_is_left_no_jobs_are_taken_in_and_those_that_run_end(small_disk, server):
    server.up()
    holder = server.submit("exec sleep 1000", resources={"gpu": 4})
    server.wait(holder, "running")
    accepted, status, answer = submit_until_refused(server)
    assert (status, answer["type"]) == (507, "/problems/no-room"), answer
    assert "make room on it" in answer["detail"]
    assert 0 < len(accepted) < 6 * 2**20 / 20_000
    assert storage(server)["status"] == "low"
    refused = server.cli("run", "--detach", "--", "true", code=1).stderr
    assert "kept for what runs" in refused
    node = server.request("GET", "/v1/nodes")[1]["nodes"][0]["name"]
    # Lest all that wait start, and take what is kept for what runs.
    server.cli("node", "cordon", node)
    server.stop_job(holder)
    assert server.wait(holder)["state"] == "cancelled", "what runs is recorded to its end"
    small_disk()
    until(lambda: storage(server)["status"] == "ok", "there is room again")
    server.cli("node", "uncordon", node)
    for job in accepted:
        assert server.wait(job)["state"] == "succeeded"
    incident = next(one for one in server.json("incidents")["incidents"]
                    if one["symptom"] == "storage_full")
    assert "nothing that was accepted is lost" in incident["evidence"]
    assert incident["recovery_ms"] is not None


def fill_up(folder):
    """Writes until nothing more goes in."""
    with open(folder / "filler", "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass


def test_a_full_disk_is_waited_for_and_nothing_is_lost(small_disk, server):
    server.up()
    holder = server.submit("exec sleep 1000", resources={"gpu": 4})
    server.wait(holder, "running")
    node = server.request("GET", "/v1/nodes")[1]["nodes"][0]["name"]
    fill_up(server.state)

    def turn_until_refused():
        """Events of little use, until the room that the journal had taken before is used up."""
        done = 0
        while True:
            action = ("cordon", "uncordon")[done % 2]
            status, answer = server.request("POST", f"/v1/nodes/{node}/actions", {"action": action})
            if status != 202:
                return done, status, answer
            done += 1

    with concurrent.futures.ThreadPoolExecutor() as pool:
        turning = pool.submit(turn_until_refused)
        until(lambda: storage(server)["status"] == "full", "the disk is full")
        status, answer = server.request("POST", "/v1/jobs", {"name": "a", "command": ["true"]})
        assert status == 507
        assert "no room for the journal, and nothing can be recorded" in answer["detail"]
        status, answer = server.request("GET", "/v1/jobs")
        assert status == 507, "what it would show may not be durable"
        (server.state / "filler").unlink()
        small_disk()
        until(lambda: storage(server)["status"] == "ok", "there is room again")
        server.cli("node", "uncordon", node)
        job = server.submit("true")
        node = "none"  # ends the turning
        assert turning.result()[0] > 10, "the journal had room of its own"
    assert server.job(holder)["state"] == "running"
    server.cli("node", "uncordon", server.request("GET", "/v1/nodes")[1]["nodes"][0]["name"])
    server.stop_job(holder)
    assert server.wait(job)["state"] == "succeeded"
    assert any(one["symptom"] == "storage_full" for one in server.json("incidents")["incidents"])
    server.kill()
    server.up()
    assert server.job(holder)["state"] == "cancelled"


def test_a_slow_disk_is_told_and_harms_nothing(server, root, tmp_path):
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("there is no C++ compiler on this machine")
    library = tmp_path / "slow_disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library,
                    root / "tests" / "live" / "slow_disk.cc"], check=True)
    slow = pathlib.Path(tmp_path / "slow")
    server.environment = {**server.environment, "LD_PRELOAD": str(library),
                          "GYRE_TEST_SYNC_MS": "1500", "GYRE_TEST_SLOW_WHILE": str(slow)}
    server.up()
    slow.touch()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        submissions = [pool.submit(server.submit, "true") for _ in range(20)]
        until(lambda: (seen := storage(server))["status"] == "slow" and
              "the disk is slow" in seen["detail"], "it is told")
        jobs = [one.result() for one in submissions]
    slow.unlink()
    assert len(set(jobs)) == 20
    for job in jobs:
        server.wait(job)
