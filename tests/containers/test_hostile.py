"""Tasks that mean no good: contained, the limit that stopped them told, neighbours unharmed."""
import os
import pathlib
import subprocess

import pytest

from cloud import PATIENCE_S, until
from container_jobs import log, submit


@pytest.fixture
def neighbour(cloud, image):
    """A job beside the hostile one, which must not notice it."""
    job = submit(cloud, image, "while [ ! -e /tmp/never ]; do sleep 0.1; done")
    cloud.wait(job, "running")
    yield job
    assert cloud.job(job)["state"] == "running"
    cloud.cli("stop", job)
    cloud.wait(job)


def limited(cloud, image, command, **spec):
    """How a job with limits and without retries ends."""
    job = submit(cloud, image, command, retry={"max": 0},
                 resources={"cpu": 0.5, "memory": "64MB"}, **spec)
    return cloud.wait(job, patience_s=5 * PATIENCE_S)  # what it does to itself takes its time


def test_a_fork_bomb(cloud, image, neighbour):
    # Each child forks for ever; the shell itself gives up when it may not fork, and says so.
    ended = limited(cloud, image, "i=0; while [ $i -lt 6000 ]; do sleep 100 & i=$((i+1)); done")
    assert ended["state"] == "failed", ended
    assert ("reached its limit of 4096 processes" in ended["reason_detail"] or
            "out of memory" in ended["reason_detail"]), ended


def test_a_memory_hog(cloud, image, neighbour):
    ended = limited(cloud, image, "x=a; while true; do x=$x$x$x; done")
    assert ended["state"] == "failed"
    assert "out of memory: it used more than its 64 MiB" in ended["reason_detail"], ended


def test_a_disk_filler(cloud, image, neighbour):
    ended = limited(cloud, image, "dd if=/dev/zero of=/tmp/fill bs=1M count=4000 2>&1; exit 3")
    assert ended["state"] == "failed", ended
    ended = limited(cloud, image, "dd if=/dev/zero of=/fill bs=1M count=4000; exit 3",
                    read_only=False)
    assert ended["state"] == "failed"
    assert ("out of memory" in ended["reason_detail"] or
            "its root was full" in ended["reason_detail"]), ended


def test_a_log_filler(server, image):
    server.up("--virtual-gpus", "4xH100:80GB", "--task-log", "2MB")
    job = submit(server, image, "yes 'a line of the log' | head -n 3000000; echo over")
    assert server.wait(job)["state"] == "succeeded"
    log_file = server.state / f"tasks/{job}.1.0/stdout.log"
    assert log_file.stat().st_size == 3_000_000 * 18 + 5
    assert log_file.stat().st_blocks * 512 < (2 << 20) + 65_536
    shown = server.cli("logs", job)
    assert shown.stdout.endswith("a line of the log\nover\n") and "are not kept" in shown.stderr


def test_a_root_that_is_full_says_so(cloud, image):
    job = submit(cloud, image, "dd if=/dev/zero of=/fill bs=1M count=4000", read_only=False,
                 retry={"max": 0})
    ended = cloud.wait(job)
    assert ended["state"] == "failed"
    assert "its root was full: 512 MiB can be written there" in ended["reason_detail"], ended


def test_one_that_ignores_sigterm(cloud, image, neighbour):
    job = submit(cloud, image, "trap '' TERM; echo ready; while true; do sleep 1; done",
                 checkpoint={"grace": "1s"})
    until(lambda: "ready" in log(cloud, job), "it ignores it")
    cloud.cli("stop", job)
    ended = cloud.wait(job)
    assert ended["state"] == "cancelled"
    assert "did not end within 1.0 s of being asked to; killed" in ended["reason_detail"], ended


def test_one_that_forks_twice_to_escape(cloud, image, neighbour):
    job = submit(cloud, image, "(setsid sh -c 'sleep 4321 & sleep 4321' &) ; sleep 0.2; echo over")
    assert cloud.wait(job)["state"] == "succeeded"
    alive = [pid for pid in filter(str.isdigit, os.listdir("/proc"))
             if b"4321" in command_line(pid)]
    assert not alive


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_one_that_eats_file_handles(cloud, image, neighbour):
    script = ("i=10; while [ $i -lt 70000 ]; do eval \"exec $i</dev/null\" || exit 9; "
              "i=$((i+1)); done")
    ended = limited(cloud, image, script)
    assert ended["state"] == "failed"
    job = submit(cloud, image, "echo fine")
    assert cloud.wait(job)["state"] == "succeeded"


def test_one_that_kills_whatever_it_sees(cloud, image, neighbour):
    job = submit(cloud, image, "kill -9 -1; sleep 0.1; kill -9 1; echo still here",
                 retry={"max": 0})
    cloud.wait(job)
    assert cloud.http("GET", "/readyz")[0] == 200


def test_the_nodes_clock_modules_and_kernel_settings_stay(cloud, image):
    before = pathlib.Path("/proc/sys/kernel/hostname").read_text(encoding="utf-8")
    job = submit(cloud, image, "date -s 2001-01-01 2>&1; hostname evil 2>&1; "
                 "echo x 2>&1 >/proc/sysrq-trigger; ls /proc/1/root/etc >/dev/null; echo end")
    cloud.wait(job)
    assert log(cloud, job).endswith("end\n")
    assert pathlib.Path("/proc/sys/kernel/hostname").read_text(encoding="utf-8") == before
    year = subprocess.run(["date", "+%Y"], capture_output=True, text=True, check=True).stdout
    assert int(year) > 2001
