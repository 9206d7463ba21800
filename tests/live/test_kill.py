"""The server is killed again and again, at any moment; clients try again as clients do."""
import collections
import concurrent.futures
import http.client
import os
import random
import threading

ROUNDS = int(os.environ.get("GYRE_KILL_LOOPS", "10"))
JOBS_PER_ROUND = 6


def submit_as_far_as_it_goes(server, keys, ran):
    """Submits a job a key at once; those that were accepted, by key."""

    def submit(key):
        try:
            return server.submit(f"echo {key} >> {ran}", key=key)
        except (OSError, http.client.HTTPException):
            return None

    with concurrent.futures.ThreadPoolExecutor(len(keys)) as pool:
        return {key: job for key, job in zip(keys, pool.map(submit, keys)) if job is not None}


def test_nothing_accepted_is_lost_and_nothing_runs_twice(server):
    chance = random.Random(20240611)
    ran = server.folder / "ran"
    ran.touch()
    accepted = {}
    for number in range(ROUNDS):
        server.start()
        keys = [f"{number}-{i}" for i in range(JOBS_PER_ROUND)]
        # From before the first request is read to after the last job has ended.
        killer = threading.Timer(chance.uniform(0, 0.12), server.process.kill)
        killer.start()
        first = submit_as_far_as_it_goes(server, keys, ran)
        killer.join()
        server.kill()
        server.start()
        second = submit_as_far_as_it_goes(server, keys, ran)
        assert set(second) == set(keys)
        assert {key: second[key] for key in first} == first, "an accepted job was lost"
        accepted.update(second)
        server.kill()
    server.start()
    states = collections.Counter(server.wait(job)["state"] for job in accepted.values())
    assert states == {"succeeded": ROUNDS * JOBS_PER_ROUND}
    assert len(set(accepted.values())) == ROUNDS * JOBS_PER_ROUND
    assert collections.Counter(ran.read_text().split()) == {key: 1 for key in accepted}
