"""The policy about jobs that hold GPUs and do not use them, on GPUs that are made up."""
import re

import pytest

from cloud import until
from made_up_gpus import Machine

SM = "set 0 gpm 1\nset 1 gpm 1\n"


@pytest.fixture
def machine(gyre, tmp_path):
    one = Machine(gyre, tmp_path, mps=False)
    yield one
    if one.cloud.process is not None:
        one.cloud.stop_all()
        one.cloud.end()
        one.cloud.replay()
    one.end()


def begin(machine, rules, *options):
    file = machine.cloud.folder / "idle.yaml"
    file.write_text(rules)
    machine.cloud.up("--fsync", "off", "--idle", str(file), *options)


def hold(machine, gpus="1", *options):
    job = machine.cloud.run("--gpu", gpus, *options, "--", "sleep", "1000")
    machine.cloud.wait(job, "running")
    return job


def events(machine, job):
    return machine.cloud.json("events", job)["events"]


def test_an_idle_job_is_warned_and_then_stopped_with_its_evidence(machine):
    machine.become(SM + "set 0 sm_ppm 2000\nset 1 sm_ppm 900000\nset 0 util 100\n")
    begin(machine, "version: 1\nbelow: 5%\nfor: 3s\ngrace: 3s\n")
    idle, busy = hold(machine), hold(machine)
    warned = until(lambda: machine.cloud.job(idle)["warning"], "it is warned")
    seconds = re.search(r"0\.2 % SM activity for ([0-9.]+)s", warned["detail"])
    assert seconds and float(seconds[1]) >= 3, warned
    assert machine.cloud.wait(idle)["reason"] == "idle"
    told = [event["detail"] for event in events(machine, idle) if event["detail"]]
    assert len(told) == 1 and told[0].startswith("warned: 0.2 % SM activity")
    kinds = {}
    for one in machine.cloud.http("GET", f"/v1/decisions?job={idle}")[2]["decisions"]:
        kinds[one["kind"]] = one
    assert "0.2 % SM activity" in kinds["stop"]["why"]
    assert "at least 5 %" in kinds["stop"]["compared"]
    assert kinds["warn"]["why"].startswith("warned")
    assert machine.cloud.job(busy)["state"] == "running"
    assert machine.cloud.job(busy)["warning"] is None


def test_who_works_again_is_left_alone(machine):
    machine.become(SM)
    begin(machine, "version: 1\nbelow: 5%\nfor: 2s\ngrace: 6s\n")
    job = hold(machine, "2")
    until(lambda: machine.cloud.job(job)["warning"], "it is warned")
    machine.become(SM + "set 0 sm_ppm 900000\nset 1 sm_ppm 900000\n")
    until(lambda: any("withdrawn" in one["detail"] for one in events(machine, job)),
          "the warning is withdrawn")
    assert machine.cloud.job(job)["state"] == "running"


def test_a_device_that_cannot_be_read_saves_its_job(machine):
    machine.become(SM)
    begin(machine, "version: 1\nbelow: 5%\nfor: 2s\ngrace: 6s\n")
    job = hold(machine, "2")
    until(lambda: machine.cloud.job(job)["warning"], "it is warned")
    machine.become(SM + "fails 1 15\n")
    withdrawn = until(lambda: [one["detail"] for one in events(machine, job)
                               if "withdrawn" in one["detail"]], "the warning is withdrawn")
    assert "not known" in withdrawn[0]
    assert machine.cloud.job(job)["state"] == "running"


def test_the_drivers_utilisation_stands_in_and_is_said(machine):
    begin(machine, "version: 1\nbelow: 5%\nfor: 2s\ngrace: 1h\n")
    job = hold(machine)
    warned = until(lambda: machine.cloud.job(job)["warning"], "it is warned")
    assert "utilisation (SM activity is not offered)" in warned["detail"]
    assert "warned: idle" in machine.cloud.cli("ps").stdout
    assert "utilisation (SM activity" in machine.cloud.cli("explain", job).stdout


def test_queues_are_exempt_and_the_policy_can_be_ended(machine):
    queues = machine.cloud.folder / "queues.yaml"
    queues.write_text("version: 1\nqueues: [{name: lab}, {name: notebooks, parent: lab}]\n")
    machine.become(SM)
    begin(machine, "version: 1\nbelow: 5%\nfor: 1s\ngrace: 1h\nexempt: [lab]\n",
          "--queues", str(queues))
    spared = hold(machine, "1", "--queue", "notebooks")
    watched = hold(machine)
    until(lambda: machine.cloud.job(watched)["warning"], "it is warned")
    assert machine.cloud.job(spared)["warning"] is None
    machine.cloud.end()
    machine.cloud.up("--fsync", "off", "--idle", "off")
    assert machine.cloud.job(watched)["warning"] is None


@pytest.mark.parametrize("rules, words", [
    ("version: 1", "'below' is missing"),
    ("version: 1\nbelow: 500%", "from 1% to 100%"),
    ("version: 1\nbelow: 5%\nexempt: [defualt]", "did you mean 'default'?"),
])
def test_bad_rules_are_refused(machine, rules, words):
    file = machine.cloud.folder / "idle.yaml"
    file.write_text(rules)
    result = machine.cloud.cli("up", "--idle", file, code=2)
    assert words in result.stderr and result.stderr.count("gyre:") == 1
