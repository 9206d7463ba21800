"""What the dashboard reads: views of jobs, decisions, counts, history."""
import datetime


def test_a_view_of_jobs(cloud):
    for name, gpus in (("alpha", 1), ("beta", 2), ("alphabet", 0)):
        cloud.run("--name", name, "--gpu", gpus, "--", "true")
    for job in (1, 2, 3):
        cloud.wait(job)
    page = cloud.http("GET", "/v1/jobs?search=ALPHA&sort=gpus&order=asc")[2]
    assert [job["name"] for job in page["jobs"]] == ["alphabet", "alpha"]
    assert page["total"] == 2 and page["next_cursor"] is None
    assert cloud.http("GET", "/v1/jobs")[2]["total"] is None
    assert [job["id"] for job in cloud.http("GET", "/v1/jobs?offset=1&limit=1")[2]["jobs"]] == [2]
    status, _, problem = cloud.http("GET", "/v1/jobs?sort=prioritty")
    assert status == 400 and problem["errors"][0]["suggestion"] == "priority"


def test_a_spec_makes_the_same_job_again(cloud):
    spec = {"name": "twice", "command": ["echo", "a: b", "# no comment"], "env": {"X": "1"}}
    cloud.http("POST", "/v1/jobs", spec)
    status, headers, text = cloud.http("GET", "/v1/jobs/1/spec")
    assert status == 200 and headers["Content-Type"] == "application/yaml"
    again = {"Content-Type": "application/yaml"}
    assert cloud.http("POST", "/v1/jobs", text, again)[0] == 201
    first, second = cloud.job(1), cloud.job(2)
    for field in ("name", "command", "env", "requests", "priority", "queue"):
        assert first[field] == second[field]
    assert cloud.http("GET", "/v1/jobs/9/spec")[0] == 404


def test_decisions_say_why_and_how_it_turned_out(cloud):
    cloud.wait(cloud.run("--gpu", 4, "--name", "first", "--", "sleep", "1000"), "running")
    cloud.run("--gpu", 4, "--name", "big", "--", "true")
    cloud.wait(cloud.run("--gpu", 0, "--name", "small", "--", "true"), "succeeded")
    told = cloud.http("GET", "/v1/decisions")[2]["decisions"]
    assert [one["name"] for one in told] == ["small", "first"]
    assert [one["kind"] for one in told] == ["backfill", "start"]
    assert "'big'" in told[0]["compared"] and told[0]["outcome"]["state"] == "succeeded"
    assert "4 GPUs" in told[1]["why"] and told[1]["outcome"]["state"] == "running"
    only = cloud.http("GET", "/v1/decisions?kind=start&job=1&limit=1")[2]
    assert [one["name"] for one in only["decisions"]] == ["first"] and only["next_cursor"] is None
    for wrong in ("kind=strat", "job=x", "cursor=x", "limit=0"):
        assert cloud.http("GET", f"/v1/decisions?{wrong}")[0] == 400


def test_counts_and_history_agree_with_the_lists(cloud):
    cloud.wait(cloud.run("--gpu", 3, "--", "sleep", "1000"), "running")
    cloud.run("--gpu", 4, "--", "true")
    overview = cloud.http("GET", "/v1/overview")[2]
    assert overview["gpus"] == 4 and overview["gpus_used"] == 3
    assert overview["jobs"]["running"] == 1 and overview["jobs"]["queued"] == 1
    assert overview["nodes_up"] == 1 and overview["decisions_last_hour"]["start"] == 1
    for window, step in (("1h", 10), ("24h", 120), ("30d", 3600)):
        history = cloud.http("GET", f"/v1/history?window={window}")[2]
        assert history["step_s"] == step
        assert len(history["gpus"]) == len(history["fleet"]["gpus_used"]) > 100
        assert history["queues"][0]["name"] == "default"
    assert cloud.http("GET", "/v1/history?window=2h")[0] == 400


def test_the_clock_is_the_servers(cloud):
    now = datetime.datetime.fromisoformat(cloud.http("GET", "/v1/clock")[2]["now"])
    assert abs((now - datetime.datetime.now(datetime.timezone.utc)).total_seconds()) < 60
