"""`gyre ps`, `nodes`, `explain`, `events`: what scripts rely on."""
import json

import yaml
import pytest


def test_ps_tells_states_reasons_and_codes(cloud):
    assert cloud.json("ps", "-a") == {"jobs": []}
    assert "no jobs" in cloud.cli("ps").stderr
    cloud.cli("run", "--name", "good", "--", "true")
    cloud.cli("run", "--name", "bad", "--", "false", code=1)
    running = cloud.run("--gpu", "4", "--name", "big", "--", "sleep", "1000")
    cloud.run("--gpu", "1", "--name", "small", "--", "true")
    cloud.wait(running, "running")
    jobs = cloud.json("ps", "-a")["jobs"]
    seen = [(job["id"], job["name"], job["state"], job["reason"], job["exit_code"]) for job in jobs]
    assert seen == [(1, "good", "succeeded", "completed", 0),
                    (2, "bad", "failed", "task_failed", 1),
                    (3, "big", "running", None, None),
                    (4, "small", "queued", "WaitingForTurn", None)]
    assert [job["id"] for job in cloud.json("ps")["jobs"]] == [3, 4]
    assert yaml.safe_load(cloud.cli("ps", "-a", "-o", "yaml").stdout)["jobs"] == jobs
    table = cloud.cli("ps", "-a", "-o", "wide").stdout.splitlines()
    assert table[0].split()[:3] == ["ID", "NAME", "STATE"]
    assert len(table) == 5
    assert "\x1b" not in "".join(table)


def test_nodes_say_what_is_virtual(cloud):
    (node,) = cloud.json("nodes")["nodes"]
    assert node["virtual_gpus"] is True
    assert (node["gpus"], node["gpu_model"], node["gpus_free"]) == (4, "H100", 4)
    cloud.wait(cloud.run("--gpu", "0.5", "--", "sleep", "1000"), "running")
    assert cloud.json("nodes")["nodes"][0]["gpus_free"] == 3.5
    assert "(virtual)" in cloud.cli("nodes").stdout
    assert "virtual" in cloud.said


def test_what_is_placed_on_virtual_gpus_says_so(cloud):
    spec = "command: [sleep, '1000']\nresources: {gpu: 2}\n"
    plan = json.loads(cloud.cli("plan", "-", "-o", "json", stdin=spec).stdout)
    assert plan["placement"][0]["virtual_gpus"] is True
    assert "GPU 0,1 (virtual)" in cloud.cli("plan", "-", stdin=spec).stdout
    without = cloud.cli("plan", "-", stdin="command: ['true']\n").stdout
    assert "(virtual)" not in without, "it has none"
    job = cloud.run("--gpu", "2", "--", "sleep", "1000")
    cloud.wait(job, "running")
    assert cloud.job(job)["placement"][0]["virtual_gpus"] is True
    assert "\ngyre_gpus_virtual 4\n" in cloud.http("GET", "/metrics")[2].decode()


def test_explain_has_the_one_reason_and_its_numbers(cloud):
    first = cloud.run("--gpu", "4", "--", "sleep", "1000")
    waiting = cloud.run("--gpu", "2", "--", "true")
    cloud.wait(first, "running")
    answer = cloud.json("explain", waiting)
    assert answer["state"] == "queued"
    assert answer["waiting"]["reason"] == "WaitingForTurn"
    assert "2 GPUs" in answer["waiting"]["detail"]
    text = cloud.cli("explain", waiting).stdout
    assert "WaitingForTurn" in text
    cloud.cli("stop", first)
    cloud.wait(waiting)
    assert cloud.json("explain", waiting)["ended"]["reason"] == "completed"
    assert "user_request" in cloud.cli("explain", first).stdout


def test_events_of_a_job_that_is_not_there_are_an_error(cloud):
    assert "no job 9999" in cloud.cli("events", "9999", code=1).stderr
    assert cloud.cli("events").stdout == ""


def test_events_tell_a_jobs_way(cloud):
    cloud.cli("run", "--", "true")
    cloud.cli("run", "--", "true")
    events = cloud.json("events", "1")["events"]
    assert [event["to"] for event in events] == ["queued", "starting", "running", "succeeded"]
    assert events[0]["from"] is None and events[-1]["reason"] == "completed"
    assert {event["job"] for event in cloud.json("events")["events"]} == {1, 2}
    follow = cloud.start("events", "-f", "-o", "json")
    seen = [json.loads(follow.stdout.readline()) for _ in range(8)]
    job = int(cloud.run("--", "true"))
    while not (seen[-1]["job"] == job and seen[-1]["to"] == "succeeded"):
        seen.append(json.loads(follow.stdout.readline()))
    follow.kill()
    follow.wait()
    follow.stdout.close()
    follow.stderr.close()
    assert len({event["id"] for event in seen}) == len(seen)


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\nb", "x" * 200])
def test_a_name_cannot_disturb_the_terminal(cloud, name):
    assert cloud.cli("run", "--name", name, "--", "true", code=2).stdout == ""


def test_a_command_cannot_disturb_the_terminal(cloud):
    cloud.cli("run", "--", "/no/\x1b[31msuch", code=None)
    assert "\x1b" not in cloud.cli("ps", "-a", "-o", "wide").stdout
