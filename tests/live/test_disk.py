"""A disk that fills up: nothing that was accepted is lost, and the server says what happened."""
import http.client
import subprocess

import pytest

GONE = (OSError, http.client.HTTPException)


@pytest.fixture
def small_disk(tmp_path):
    """The server's state is on a disk of 3 MiB; gives what makes it larger."""
    disk = tmp_path / "state"
    disk.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk],
                             capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield lambda: subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_disk_ends_the_server_and_loses_nothing(small_disk, server):
    server.up()
    holder = server.submit("exec sleep 1000", resources={"gpu": 4})
    server.wait(holder, "running")
    accepted = []
    with pytest.raises((AssertionError, *GONE)):
        while True:
            accepted.append(server.submit("true", resources={"gpu": 4}, env={"FILL": "x" * 20_000}))
    said = server.process.stderr.read()
    assert server.process.wait() == 1
    assert "disk is full" in said and "nothing that was accepted is lost" in said
    assert len(accepted) < 3 * 2**20 / 20_000
    small_disk()
    server.up()
    assert server.job(holder)["state"] == "running", "a task does not mind"
    server.stop_job(holder)
    for job in accepted:
        assert server.wait(job)["state"] == "succeeded"
