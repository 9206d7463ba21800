"""The server is killed again and again, at any moment; clients try again as clients do.

GYRE_KILL_LOOPS says how often (10). The moments are drawn from GYRE_KILL_SEED. A store lives for 25
kills, so that new ones are killed too; its journal must then replay to the same commands.
"""
import collections
import concurrent.futures
import http.client
import os
import random
import subprocess
import threading

import pytest

LOOPS = int(os.environ.get("GYRE_KILL_LOOPS", "10"))
SEED = os.environ.get("GYRE_KILL_SEED", "20240611")
LOOPS_PER_STORE = 25
JOBS_PER_LOOP = 6
GONE = (OSError, http.client.HTTPException)

# What a job does after it has written down its key and attempt, the rest of its spec, and how it
# must end: its state, its exit code, how often it ran.
KINDS = {
    "plain": ("true", {}, "succeeded", 0, 1),
    "fails": ("exit 3", {}, "failed", 3, 1),
    "signal": ("kill -9 $$", {}, "failed", 137, 1),
    "waits": ("true", {"resources": {"gpu": 3}}, "succeeded", 0, 1),
    "retried": ("exit 5", {"retry": {"on": ["error"], "max": 1, "backoff": "10ms"}},
                "failed", 5, 2),
    "stopped": ("exec sleep 1000", {}, "cancelled", None, None),
}


class Clients:
    """They submit jobs under keys of their own, and stop some, until the server has said yes."""

    def __init__(self, server):
        self.server = server
        self.ran = server.folder / "ran"
        self.ran.touch()
        self.kind_of = {}  # by key
        self.accepted = {}  # the job's id by key
        self.stops_wanted = set()

    def submit(self, key):
        """The id that the server gave; None when it was killed meanwhile."""
        script, more, *_ = KINDS[self.kind_of[key]]
        try:
            return self.server.submit(f"echo {key}/$GYRE_ATTEMPT >> {self.ran}; {script}", key=key,
                                      **more)
        except GONE:
            return None

    def submit_all(self, keys):
        with concurrent.futures.ThreadPoolExecutor(len(keys)) as pool:
            got = dict(zip(keys, pool.map(self.submit, keys)))
        for key, job in got.items():
            if job is None:
                continue
            assert self.accepted.setdefault(key, job) == job, "an accepted job was lost"
            if self.kind_of[key] == "stopped":
                self.stops_wanted.add(job)
        self.stop_some()
        return all(got.values())

    def stop_some(self):
        for job in sorted(self.stops_wanted):
            try:
                status, _ = self.server.request("POST", f"/v1/jobs/{job}/actions",
                                                {"action": "stop"})
            except GONE:
                return
            assert status in (202, 409), f"job {job} was lost"
            self.stops_wanted.discard(job)

    def check(self):
        """The server runs, and nothing is left to be asked for."""
        assert len(set(self.accepted.values())) == len(self.kind_of)
        for key, kind in self.kind_of.items():
            _, _, state, code, count = KINDS[kind]
            job = self.server.wait(self.accepted[key])
            assert job["state"] == state, (key, kind, job)
            assert code is None or job["exit_code"] == code, (key, kind, job)
            if count is not None:
                assert job["attempt"] == count, (key, kind, job)
        runs = collections.Counter(self.ran.read_text().split())
        assert not [key for key, count in runs.items() if count > 1], "it ran twice"
        expected = {f"{key}/{attempt}" for key, kind in self.kind_of.items()
                    for attempt in range(1, (KINDS[kind][4] or 0) + 1)}
        assert expected <= set(runs), "it never ran"


def start_and_kill(server, after_s):
    """A server that may be killed before it is ready."""
    process = subprocess.Popen(server.command(), env=server.environment,
                               stderr=subprocess.DEVNULL)
    killer = threading.Timer(after_s, process.kill)
    killer.start()
    process.wait()
    killer.join()


def kill_meanwhile(server, after_s, work):
    killer = threading.Timer(after_s, server.process.kill)
    killer.start()
    work()
    killer.join()
    server.kill()


def live_and_be_killed(server, numbers):
    clients = Clients(server)
    for number in numbers:
        chance = random.Random(f"{SEED}/{number}")
        if chance.random() < 0.2:
            start_and_kill(server, chance.uniform(0, 0.15))
        keys = [f"{number}-{i}" for i in range(JOBS_PER_LOOP)]
        clients.kind_of.update({key: chance.choice(sorted(KINDS)) for key in keys})
        server.up()
        # From before the first request is read to after the last job has ended.
        kill_meanwhile(server, chance.uniform(0, 0.25), lambda: clients.submit_all(keys))
        server.up()
        assert clients.submit_all(keys)
        server.kill()
    server.up()
    clients.stop_some()
    clients.check()


@pytest.mark.parametrize("first", range(0, LOOPS, LOOPS_PER_STORE))
def test_nothing_accepted_is_lost_and_nothing_runs_twice(server, first):
    live_and_be_killed(server, range(first, min(first + LOOPS_PER_STORE, LOOPS)))
