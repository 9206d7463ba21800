"""Many starts and ends, a third of them killed half-way: nothing of any kind may be left.

GYRE_LEAK_STARTS says how many (default 120); the full run is 10,000.
"""
import os
import pathlib
import random
import signal
import time

from cloud import PATIENCE_S
from container_jobs import submit
from leftovers import groups_of, instance_of

STARTS = int(os.environ.get("GYRE_LEAK_STARTS", "120"))
AT_A_TIME = 20


def supervisors(cloud):
    """The pids of the server's supervisors, waiting ones among them."""
    tasks = str(cloud.state / "tasks").encode()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if len(words) > 2 and words[1].endswith(b"-supervisor") and words[2].startswith(tasks):
            found.append(int(pid))
    return found


def run_batch(cloud, image, rng):
    jobs = [submit(cloud, image, rng.choice(["true", "sleep 0.05", "sleep 30 & sleep 0.02"]),
                   retry={"max": 0}, **rng.choice([{}, {"network": "none"}, {"read_only": False},
                                                   {"resources": {"memory": "32MB"}}]))
            for _ in range(AT_A_TIME)]
    for _ in range(AT_A_TIME // 3):
        victims = supervisors(cloud)
        if victims and rng.random() < 0.7:
            kill(rng.choice(victims))
        else:
            cloud.cli("stop", rng.choice(jobs), code=None)
        time.sleep(rng.random() * 0.03)
    for job in jobs:
        cloud.wait(job)


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def test_nothing_is_left(server, image):
    rng = random.Random(1)
    cloud = server.up("--warm", "2")
    done = 0
    while done < STARTS:
        run_batch(cloud, image, rng)
        done += AT_A_TIME
        if rng.random() < 0.2:
            cloud.end(signal.SIGKILL)
            cloud.up("--warm", "2")
    cloud.end()  # with it the containers that wait for a task
    deadline = time.monotonic() + PATIENCE_S
    while supervisors(cloud) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not supervisors(cloud)
    cloud.up()  # what killed supervisors left of waiting containers goes now
    assert not groups_of(instance_of(cloud.state))
    mine = {pid for pid in filter(str.isdigit, os.listdir("/proc"))
            if str(cloud.state).encode() in command_line(pid)}
    assert len(mine) <= 1  # the server; a namespace lives only while a process is in it


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
