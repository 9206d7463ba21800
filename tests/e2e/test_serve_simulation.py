"""`gyre simulate --serve`: a trace behind the API, paused, sped up and turned back."""
import http.client
import json
import signal
import subprocess
import time

import pytest

from cloud import PATIENCE_S

TRACE = "id,submit,duration,gpus\n" + "".join(f"job-{i},{i * 600},7200,4\n" for i in range(100))


class Play:
    def __init__(self, program, folder, *options):
        trace = folder / "trace.csv"
        trace.write_text(TRACE)
        self.process = subprocess.Popen(
            [str(program), "simulate", str(trace), "--nodes", "4x8", *options,
             "--serve", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
        line = ""
        while "on http://" not in line:
            line = self.process.stderr.readline()
            assert line, "it did not start"
        self.port = int(line.rsplit(":", 1)[1])

    def http(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, json.dumps(body) if body else None,
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def turn(self, **turn):
        return self.http("POST", "/v1/simulation", turn)

    def arrive(self, seek_s):
        """What the world is at a time of it, once it stands there."""
        assert self.turn(paused=True, seek_s=seek_s)[0] == 202
        deadline = time.monotonic() + PATIENCE_S
        while self.http("GET", "/v1/clock")[1]["simulation"]["seeking"]:
            assert time.monotonic() < deadline
        counts = self.http("GET", "/v1/overview")[1]["jobs"]
        jobs = self.http("GET", "/v1/jobs?limit=1000")[1]["jobs"]
        return counts, [(job["id"], job["state"], job["nodes"], job["started_at"]) for job in jobs]

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        self.process.stderr.close()
        return code


@pytest.fixture
def play(program, tmp_path):
    one = Play(program, tmp_path, "--speed", "0.01")
    yield one
    assert one.end() == 0


def test_a_time_shows_the_same_world_whichever_way_it_was_reached(play):
    forward = play.arrive(9_000)
    assert sum(forward[0].values()) == 16 and len(forward[1]) == 16
    beyond = play.arrive(50_000)
    assert sum(beyond[0].values()) == 84
    assert play.arrive(9_000) == forward
    assert play.arrive(0)[1][0][0] == 1


def test_ages_are_by_the_clock_of_the_simulation(play, program):
    play.arrive(9_000)
    said = subprocess.run([str(program), "ps", "--server", f"http://127.0.0.1:{play.port}"],
                          capture_output=True, text=True, check=True).stdout
    (row,) = [line for line in said.splitlines() if " job-5 " in line]  # submitted at 3,000 s
    assert " 1h 40m " in row


def test_the_end_can_be_turned_back_from(play):
    assert play.arrive(100_000)[0]["succeeded"] == 100
    play.turn(paused=False, speed=1_000_000)
    deadline = time.monotonic() + PATIENCE_S
    while not play.http("GET", "/v1/clock")[1]["simulation"]["over"]:
        assert time.monotonic() < deadline
    assert sum(play.arrive(600)[0].values()) == 2


def test_events_from_another_time_are_told_as_missed(play):
    play.arrive(50_000)
    late = play.http("GET", "/v1/events?limit=1000")[1]["next_cursor"]
    play.arrive(1_200)
    assert play.http("GET", f"/v1/events?cursor={late}")[1]["missed"] is True


def test_nobody_changes_what_happens(play):
    play.arrive(1_200)
    assert play.http("POST", "/v1/jobs", {"command": "true"})[0] == 409
    assert play.http("POST", "/v1/jobs/1/actions", {"action": "stop"})[0] == 409
    assert play.http("GET", "/v1/jobs/1/logs")[0] == 404
    before = play.http("GET", "/v1/policy")[1]
    assert before["history"][0]["event"] >= 1
    assert play.http("PUT", "/v1/policy", {"version": 1, "name": "other", "base": "sjf"})[0] == 409
    assert play.http("GET", "/v1/policy")[1] == before


def test_wrong_turns_are_named(play):
    for turn in ({}, {"speed": 0}, {"speed": 1e9}, {"seek_s": -1}, {"paused": 1}, {"sped": 1}):
        assert play.http("POST", "/v1/simulation", turn)[0] == 422, turn


def test_a_live_server_is_no_simulation(cloud):
    status, _, problem = cloud.http("POST", "/v1/simulation", {"paused": True})
    assert status == 409 and "no simulation" in problem["title"]


def test_flags_that_do_not_go_together(offline, tmp_path):
    (tmp_path / "trace.csv").write_text(TRACE)
    trace = ("simulate", "trace.csv", "--nodes", "4x8")
    for wrong in (("--serve", "0", "--policy", "fifo,easy"), ("--serve", "0", "--out", "x"),
                  ("--speed", "5"), ("--serve", "10.0.0.1:80"), ("--serve", "0", "--speed", "0")):
        assert offline.cli(*trace, *wrong, code=2).stderr, wrong


def outcome(result):
    return {key: value for key, value in result.items() if key not in ("wall_s", "peak_rss_mib")}


def test_other_policies_are_tried_on_the_same_trace(program, tmp_path):
    same = ["--mtbf", "20h", "--seed", "3"]
    play = Play(program, tmp_path, "--policy", "fifo", *same)
    try:
        window = {"policies": ["easy"], "since": "1970-01-01T00:00:00Z"}
        assert play.http("POST", "/v1/lab/runs", window)[0] == 409
        status, asked = play.http("POST", "/v1/lab/runs", {"policies": ["easy", "fifo"]})
        assert status == 202, asked
        deadline = time.monotonic() + PATIENCE_S
        while True:
            run = play.http("GET", f"/v1/lab/runs/{asked['id']}")[1]
            if run["state"] not in ("queued", "running"):
                break
            assert time.monotonic() < deadline, run
            time.sleep(0.02)
        assert run["state"] == "succeeded", run["error"]
        assert run["trace"] == {"name": "trace.csv", "nodes": "4x8"}
    finally:
        play.end()
    alone = json.loads(subprocess.run(
        [str(program), "simulate", str(tmp_path / "trace.csv"), "--nodes", "4x8", *same,
         "--policy", "fifo,easy", "-o", "json"], check=True, capture_output=True, text=True).stdout)
    assert [outcome(one) for one in run["report"]["results"]] == [
        outcome(one) for one in alone["results"]]
