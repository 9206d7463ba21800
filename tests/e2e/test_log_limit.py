"""A task that writes for ever does not fill the disk, and its log says what was dropped."""
import os
import re
import time

import pytest

from cloud import PATIENCE_S, Cloud, until

LIMIT = 4 << 20
LINES = 4_000_000
LINE = 10


@pytest.fixture
def cloud(program, tmp_path):
    one = Cloud(program, tmp_path).up("--virtual-gpus", "4xH100:80GB", "--task-log", "4MB")
    yield one
    one.stop_all()
    one.end()
    one.replay()


def bytes_on_disk(cloud, job):
    return os.stat(cloud.state / f"tasks/{job}.1.0/stdout.log").st_blocks * 512


def check(shown, last):
    """All bytes are there or told to be dropped, and lines are whole, in their order, from the
    first to the last, but for one where something was dropped. The bytes that are there."""
    dropped = [int(number) for number in
               re.findall(r"gyre: (\d+) bytes of the log are not kept", shown.stderr)]
    assert len(shown.stdout) + sum(dropped) == last * LINE
    lines = shown.stdout.splitlines()
    whole = [int(line) for line in lines if len(line) == LINE - 1]
    assert len(lines) - len(whole) <= len(dropped)
    assert whole == sorted(whole) and whole[0] == 1 and whole[-1] == last
    return len(shown.stdout)


def test_the_beginning_and_the_newest_are_kept(cloud):
    job = cloud.run("--", "seq", "-f", "%09.0f", "1", str(LINES))
    assert cloud.wait(job)["state"] == "succeeded"
    assert bytes_on_disk(cloud, job) <= LIMIT + 65536
    shown = cloud.cli("logs", job)
    assert check(shown, LINES) >= LIMIT * 3 // 4
    _, headers, content = cloud.http("GET", f"/v1/jobs/{job}/logs?offset=1000000")
    dropped = int(headers["X-Log-Dropped"])
    assert content[:LINE] == f"{(1_000_000 + dropped) // LINE + 1:09}\n".encode()
    assert int(headers["X-Next-Offset"]) == 1_000_000 + dropped + len(content)
    assert int(headers["X-Log-Size"]) == LINES * LINE
    _, headers, content = cloud.http("GET", f"/v1/jobs/{job}/logs?offset=0")
    assert (headers["X-Log-Dropped"], content[:LINE]) == ("0", b"000000001\n")


def test_who_follows_loses_only_what_is_told(cloud):
    script = f"seq -f %09.0f 1 {LINES}; exit 3"
    check(cloud.cli("run", "--", "sh", "-c", script, code=3), LINES)
    check(cloud.cli("logs", "-f", "1", code=3), LINES)


def test_one_that_never_ends_stays_small(cloud):
    job = cloud.run("--", "sh", "-c", "while true; do seq -f %09.0f 1 100000; done")
    cloud.wait(job, "running")
    size = cloud.state / f"tasks/{job}.1.0/stdout.log"
    deadline = time.monotonic() + PATIENCE_S
    while size.stat().st_size < 50 * LIMIT:
        assert time.monotonic() < deadline, "it does not write"
        time.sleep(0.01)
    until(lambda: bytes_on_disk(cloud, job) < 16 * LIMIT, "it is cut while it grows")
    cloud.cli("stop", job)
    cloud.wait(job)
    assert bytes_on_disk(cloud, job) <= LIMIT + 65536


def test_a_silly_limit_is_refused(cloud):
    for size, words in (("0", "1MB is the least"), ("much", "much")):
        refused = cloud.cli("up", "--task-log", size, "--listen", "0", code=2).stderr
        assert "--task-log" in refused and words in refused
