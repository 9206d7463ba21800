"""Commands in tasks of other machines, and logs that keep to their limit there."""
import os
import re
import signal

from cloud import PATIENCE_S, until
from exec_cases import WAITS, running
from fleets import patient


def running_job(fleet):
    job = fleet.submit(["sh", "-c", WAITS])
    fleet.wait(job, "running")
    return job


def test_a_command_runs_where_its_task_does(fleet):
    fleet.agent("one")
    fleet.agent("two")
    jobs = [running_job(fleet) for _ in range(4)]
    where = {fleet.job(job)["placement"][0]["node"] for job in jobs}
    assert where == {"one", "two"}
    for job in jobs:
        told = fleet.cli("exec", job, "--", "sh", "-c", "echo $GYRE_JOB_ID; echo err >&2; exit 9",
                         code=9)
        assert (told.stdout, told.stderr) == (f"{job}\n", "err\n")
    data = os.urandom(2_000_000)
    assert fleet.cli("exec", jobs[0], "--", "cat", stdin=data, text=False).stdout == data


def test_a_command_ends_with_its_client(fleet):
    fleet.agent("one")
    job = running_job(fleet)
    client = fleet.start("exec", str(job), "--", "sh", "-c", "echo up; sleep 7671")
    assert client.stdout.readline() == "up\n"
    client.kill()
    client.communicate(timeout=PATIENCE_S)
    until(lambda: not running("^sleep 7671"), "the command has ended")


@patient
def test_a_command_ends_with_the_connection_of_its_node(fleet):
    agent = fleet.agent("one")
    job = running_job(fleet)
    client = fleet.start("exec", str(job), "--", "sh", "-c", "echo up; sleep 7672")
    assert client.stdout.readline() == "up\n"
    agent.end(signal.SIGKILL)
    _, said = client.communicate(timeout=PATIENCE_S)
    assert client.returncode == 1
    assert "the connection to the task's node broke off" in said
    until(lambda: not running("^sleep 7672"), "the command has ended")
    refused = fleet.cli("exec", job, "--", "true", code=1).stderr
    assert "the task's node one is not connected" in refused
    agent.start()
    until(lambda: fleet.cli("exec", job, "--", "true", code=None).returncode == 0, "it is back")


def test_a_log_there_keeps_to_its_limit_too(fleet):
    agent = fleet.new_agent("one")
    agent.start(fleet.token(), "--task-log", "1MB")
    fleet.until(lambda: fleet.node("one").get("state") == "up", "it comes in")
    job = fleet.submit(["seq", "-f", "%09.0f", "1", "500000"])
    assert fleet.wait(job)["state"] == "succeeded"
    shown = fleet.cli("logs", job)
    dropped = sum(map(int, re.findall(r"(\d+) bytes of the log are not kept", shown.stderr)))
    assert dropped > 0 and dropped + len(shown.stdout) == 5_000_000
