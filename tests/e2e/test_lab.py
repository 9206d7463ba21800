"""The policy lab: runs over a live server's own journal, and what is kept of them."""
import gzip
import os
import time

import pytest

from cloud import PATIENCE_S, until

MINE = "version: 1\nname: mine\norder: sjf\nbackfill: easy\n"


def ended(cloud, run_id):
    """A run once it is over, through every state that comes before."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        status, _, run = cloud.http("GET", f"/v1/lab/runs/{run_id}")
        assert status == 200, run
        if run["state"] in ("succeeded", "failed"):
            assert run["progress"] is None and (run["report"] is None) == (run["state"] == "failed")
            return run
        assert time.monotonic() < deadline, run
        time.sleep(0.01)


def start(cloud, *policies, **more):
    status, headers, answer = cloud.http("POST", "/v1/lab/runs", {"policies": policies, **more})
    assert status == 202, answer
    assert headers["Location"] == f"/v1/lab/runs/{answer['id']}"
    return answer["id"]


def past(cloud):
    """Jobs that ran and waited."""
    jobs = [cloud.run("--gpu", "4", "--", "sleep", "0.3")]
    jobs += [cloud.run("--gpu", "2", "--", "sleep", "0.1") for _ in range(3)]
    for job in jobs:
        cloud.wait(job)


def test_policies_are_played_over_the_servers_past_and_outlast_it(cloud):
    past(cloud)
    run_id = start(cloud, "fifo", MINE)
    run = ended(cloud, run_id)
    assert run["state"] == "succeeded", run["error"]
    live = cloud.http("GET", "/v1/policies")[2]["live"]
    columns = [result["policy"] for result in run["report"]["results"]]
    assert columns == ["recorded", live, "fifo", "mine"]
    assert [result["finished"] for result in run["report"]["results"]] == [4] * 4
    assert run["report"]["calibration"]["jobs"] == 4
    assert run["policies"][0]["text"] is None and run["policies"][1]["text"] == MINE
    cloud.kill()
    cloud.up()
    again = cloud.http("GET", f"/v1/lab/runs/{run_id}")[2]
    assert again == run
    assert cloud.http("GET", "/v1/lab/runs")[2]["runs"] == [
        {key: value for key, value in run.items() if key != "report"}]
    assert start(cloud, "easy") == run_id + 1


def test_a_window_is_of_what_had_not_ended_when_it_begins(cloud):
    past(cloud)
    last = cloud.job(cloud.run("--", "true"))
    cloud.wait(last["id"])
    run = ended(cloud, start(cloud, "fifo", since=last["submitted_at"]))
    assert [result["jobs"] for result in run["report"]["results"]] == [1] * 3
    assert run["since"] == last["submitted_at"]
    assert any("the window has 1 of 5 jobs" in note for note in run["report"]["notes"])
    now = cloud.http("GET", "/v1/clock")[2]["now"]
    run = ended(cloud, start(cloud, "fifo", since=now))
    assert run["state"] == "failed" and "take an earlier time" in run["error"]


def test_what_has_no_past_to_play_says_so(cloud):
    run = ended(cloud, start(cloud, "fifo"))
    assert run["state"] == "failed" and "no job was ever submitted" in run["error"]
    cloud.run("--", "sleep", "1000")
    run = ended(cloud, start(cloud, "fifo"))
    assert run["state"] == "failed" and "no job has ended" in run["error"]


def test_services_are_held_as_they_happened(cloud):
    past(cloud)
    service = {"name": "chat", "command": "sleep 1000", "resources": {"gpu": 1}}
    status, _, answer = cloud.http("POST", "/v1/services", service)
    assert status == 200, answer
    until(lambda: cloud.http("GET", "/v1/services/chat")[2]["replicas"], "it has a replica")
    cloud.wait(cloud.run("--gpu", "1", "--", "true"))
    run = ended(cloud, start(cloud, "fifo"))
    assert run["state"] == "succeeded", run["error"]
    assert [result["jobs"] for result in run["report"]["results"]] == [5] * 3
    assert any("1 replicas of services are held" in note for note in run["report"]["notes"])
    assert cloud.http("DELETE", "/v1/services/chat")[0] == 202


def test_a_window_ends_where_it_is_told(cloud):
    past(cloud)
    now = cloud.http("GET", "/v1/clock")[2]["now"]
    cloud.wait(cloud.run("--", "true"))
    run = ended(cloud, start(cloud, "fifo", until=now))
    assert [result["jobs"] for result in run["report"]["results"]] == [4] * 3
    assert run["until"] == now and run["since"] is None
    listed = cloud.cli("lab", "run", "--policy", "easy", "--until", now)
    assert ended(cloud, int(listed.stdout))["until"] == now
    assert now in cloud.cli("lab", "ls").stdout
    cloud.end()
    journal = cloud.state / "journal.sqlite"
    report = cloud.json("replay", journal, "--policy", "easy", "--until", now)
    assert report["results"][0]["jobs"] == 4
    wrong = cloud.cli("replay", journal, "--policy", "easy", "--until", "noon", code=2)
    assert "--until: 'noon' is no time" in wrong.stderr


def test_a_policy_needs_a_name_of_its_own(cloud):
    past(cloud)
    live = cloud.http("GET", "/v1/policies")[2]["live"]
    run = ended(cloud, start(cloud, MINE.replace("mine", live)))
    assert run["state"] == "failed" and "a name of its own" in run["error"]


@pytest.mark.parametrize("body, pointer, words", [
    (b"{", "", "JSON object"),
    ([], "", "JSON object"),
    ({}, "", "policies"),
    ({"policies": []}, "/policies", "1 to 8"),
    ({"policies": "easy"}, "/policies", "1 to 8"),
    ({"policies": ["fifo"] * 9}, "/policies", "1 to 8"),
    ({"policies": [7]}, "/policies/0", "a name or a text"),
    ({"policies": ["fifo", "easyy"]}, "/policies/1", "did you mean 'easy'"),
    ({"policies": ["fifo", "fifo"]}, "/policies/1", "given twice"),
    ({"policies": ["name: [", "fifo"]}, "/policies/0", ""),
    ({"policies": ["version: 1\nname: x\norder: fastest\n"]}, "/policies/0", "expected one of"),
    ({"policies": ["fifo"], "since": "yesterday"}, "/since", "no time"),
    ({"policies": ["fifo"], "since": 7}, "/since", "as text"),
    ({"policies": ["fifo"], "since": "2199-01-01T00:00:00Z"}, "/since", "still to come"),
    ({"policies": ["fifo"], "until": "tomorrow"}, "/until", "no time"),
    ({"policies": ["fifo"], "since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
     "/until", "not after"),
    ({"policies": ["fifo"], "till": None}, "/till", "are known"),
    ({"policies": ["fifo"], "since": "2026-01-02T00:00:00Z",
      "trace": {"bundled": "philly-excerpt"}}, "/since", "no window"),
])
def test_a_wrong_order_is_refused_where_it_is_wrong(cloud, body, pointer, words):
    status, _, problem = cloud.http("POST", "/v1/lab/runs", body)
    assert status == 422 and problem["errors"][0]["pointer"] == pointer, problem
    assert words in problem["detail"]
    assert cloud.http("GET", "/v1/lab/runs")[2] == {"runs": []}


def test_a_run_is_cancelled_and_the_queue_has_an_end(cloud):
    past(cloud)
    running = [start(cloud, "fifo", "easy", "sjf")]
    refused = 0
    for _ in range(40):  # runs are played faster or slower than asked for: all is seen in the end
        status, headers, answer = cloud.http("POST", "/v1/lab/runs", {"policies": ["easy"]})
        if status == 503:
            refused += 1
            assert "Retry-After" in headers and "policy lab" in answer["detail"]
        else:
            running.append(answer["id"])
    listed = cloud.http("GET", "/v1/lab/runs")[2]["runs"]
    assert [run["id"] for run in listed] == sorted(running, reverse=True)
    assert len(running) + refused == 41
    for run_id in running:
        status, _, answer = cloud.http("DELETE", f"/v1/lab/runs/{run_id}")
        assert (status, answer) == (200, {"id": run_id, "deleted": True})
        assert cloud.http("GET", f"/v1/lab/runs/{run_id}")[0] == 404
        assert cloud.http("DELETE", f"/v1/lab/runs/{run_id}")[0] == 404
    assert cloud.http("GET", "/v1/lab/runs")[2] == {"runs": []}
    assert cloud.http("DELETE", "/v1/lab/runs/x")[0] == 404
    assert ended(cloud, start(cloud, "fifo"))["state"] == "succeeded"
    assert len(list((cloud.state / "lab").iterdir())) == 1


def test_a_damaged_result_is_told_and_left_out(cloud):
    past(cloud)
    first, second = start(cloud, "fifo"), start(cloud, "easy")
    ended(cloud, first)
    ended(cloud, second)
    cloud.end()
    file = cloud.state / "lab" / f"run-{first:06}"
    assert os.stat(file).st_mode & 0o077 == 0
    text = file.read_bytes()
    file.write_bytes(text[:-40])
    (cloud.state / "lab" / "notes.txt").write_text("not a result", encoding="utf-8")
    cloud.up()
    assert f"result {first} is left out: it is damaged" in cloud.said
    listed = cloud.http("GET", "/v1/lab/runs")[2]["runs"]
    assert [run["id"] for run in listed] == [second]
    assert start(cloud, "fifo") == second + 1


TRACE = "id,submit,duration,gpus\na,0,60,4\nb,1,10,1\nc,2,10,8\n"


def test_policies_are_played_on_a_trace_and_it_is_kept_which(cloud):
    known = cloud.http("GET", "/v1/lab/traces")[2]["traces"]
    assert [one["name"] for one in known] == ["philly-excerpt"]
    bundled = start(cloud, "fifo", "easy", trace={"bundled": "philly-excerpt"})
    given = start(cloud, "easy", MINE,
                  trace={"name": "jobs.csv", "text": TRACE, "nodes": "2x4:V100"})
    listed = start(cloud, "fifo", trace={"text": TRACE, "nodes": "name,gpus\na,8\nb,4\n"})
    run = ended(cloud, bundled)
    assert run["trace"] == {"name": "philly-excerpt.csv", "nodes": known[0]["nodes"]}
    assert [(one["policy"], one["jobs"]) for one in run["report"]["results"]] == [
        ("fifo", 2400), ("easy", 2400)]
    run = ended(cloud, given)
    assert run["trace"] == {"name": "jobs.csv", "nodes": "2x4:V100"} and run["since"] is None
    assert [one["finished"] for one in run["report"]["results"]] == [3, 3]
    assert run["report"]["fleet"]["gpus"] == 8 and "calibration" not in run["report"]
    assert ended(cloud, listed)["report"]["fleet"]["nodes"] == 2
    cloud.kill()
    cloud.up()
    assert cloud.http("GET", f"/v1/lab/runs/{given}")[2] == run


def test_a_trace_goes_by_the_command_line_as_it_is(cloud):
    trace, nodes = cloud.folder / "jobs.csv.gz", cloud.folder / "nodes.csv"
    rows = "".join(f"job-{n},{n},{n % 60},{n % 4}\n" for n in range(100_000))  # more than 1 MiB
    trace.write_bytes(gzip.compress(("id,submit,duration,gpus\n" + rows).encode()))
    nodes.write_text("name,gpus\n" + "".join(f"n{n},8\n" for n in range(30)), encoding="utf-8")
    run_id = cloud.cli("lab", "run", trace, "--nodes", nodes, "--policy", "fifo").stdout.strip()
    assert ended(cloud, run_id)["report"]["results"][0]["finished"] == 100_000
    assert "jobs.csv.gz on a node list" in cloud.cli("lab", "ls").stdout
    trace.write_text("id,submit,duration,gpus\na,0,1,1\nb,0,1,x\n", encoding="utf-8")
    wrong = cloud.cli("lab", "run", trace, "--nodes", "4x8", "--policy", "fifo", code=1).stderr
    assert "jobs.csv.gz:3: column 4 ('gpus'): 'x' is not a whole number" in wrong
    assert "NODESxGPUS" in cloud.cli("lab", "run", trace, "--nodes", "4by8", "--policy", "fifo",
                                     code=2).stderr
    assert "are for a TRACE" in cloud.cli("lab", "run", "--nodes", "4x8", "--policy", "fifo",
                                          code=2).stderr
    trace.write_bytes(b"id,submit,duration,gpus\n\xff,0,1,1\n")
    wrong = cloud.cli("lab", "run", trace, "--nodes", "4x8", "--policy", "fifo", code=2).stderr
    assert "no text in UTF-8" in wrong


@pytest.mark.parametrize("trace, pointer, words", [
    (7, "/trace", "an object"),
    ({}, "/trace", '"text"'),
    ({"text": TRACE}, "/trace/nodes", "a shape such as"),
    ({"text": TRACE, "nodes": "4x8", "url": "http://x"}, "/trace/url", "are known"),
    ({"text": 7, "nodes": "4x8"}, "/trace/text", "is a text"),
    ({"text": TRACE, "nodes": "x" * (1 << 20) + "x"}, "/trace/nodes", "1048576 can be"),
    ({"bundled": "helios"}, "/trace/bundled", "there is philly-excerpt"),
    ({"bundled": "philly-excerpt", "text": TRACE}, "/trace/bundled", "are known"),
    ({"name": "a\nb", "text": TRACE, "nodes": "4x8"}, "/trace/name", "control characters"),
    ({"text": "id,submit,duration,gpus\na,0,1,-1\n", "nodes": "4x8"}, "/trace",
     "trace:2: column 4 ('gpus')"),
    ({"text": "when,what\n", "nodes": "4x8"}, "/trace", "trace"),
    ({"text": TRACE, "nodes": "name,gpus\na,99\n"}, "/trace", "node list:2: column 2 ('gpus')"),
    ({"text": TRACE, "nodes": "lots"}, "/trace", "NODESxGPUS"),
    ({"text": TRACE, "nodes": "4x8", "format": "xml"}, "/trace", "there are auto"),
])
def test_a_wrong_trace_is_refused_where_it_is_wrong(cloud, trace, pointer, words):
    body = {"policies": ["fifo"], "trace": trace}
    status, _, problem = cloud.http("POST", "/v1/lab/runs", body)
    assert status == 422 and problem["errors"][0]["pointer"] == pointer, problem
    assert words in problem["detail"]
    assert cloud.http("GET", "/v1/lab/runs")[2] == {"runs": []}


def test_the_command_line_runs_lists_and_shows(cloud):
    past(cloud)
    mine = cloud.folder / "mine.yaml"
    mine.write_text(MINE, encoding="utf-8")
    run_id = cloud.cli("lab", "run", "--policy", f"fifo,{mine}").stdout.strip()
    ended(cloud, run_id)
    assert "fifo,mine" in cloud.cli("lab", "ls").stdout
    shown = cloud.cli("lab", "show", run_id).stdout
    assert [line.split()[0] for line in shown.splitlines()[1:5]][2:] == ["fifo", "mine"]
    assert "note: 'recorded' is what happened" in shown
    document = cloud.json("lab", "show", run_id)
    assert document["report"]["results"][-1]["policy"] == "mine"
    assert "easyy" in cloud.cli("lab", "run", "--policy", "easyy", code=2).stderr
    assert "no run 99" in cloud.cli("lab", "show", "99", code=1).stderr
    assert [policy["name"] for policy in document["policies"]] == ["fifo", "mine"]
