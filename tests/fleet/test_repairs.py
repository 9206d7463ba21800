"""From a GPU's error to its reset, the test and the return, on agents whose driver is made up."""
import re
import signal

import pytest

from cloud import until
from gpus_of_agents import TWO, Gpus, job_on, moves_away

PLAYBOOK = """
version: 1
name: hardware
playbooks:
  fell-off: {on: device_fault, do: [quarantine, move, reset, burn-in]}
quarantine: {first: 1s, longest: 1m}
limits: {nodes: 50%, repair: 1m}
"""


@pytest.fixture
def pair(fleet):
    """Two nodes; what a reset does is said by each one's own folder."""
    fleet.cli("heal", "apply", "-", stdin=PLAYBOOK)
    gpus = []
    for name, letter in TWO:
        one = Gpus(fleet.new_agent(name), letter)
        healthy = one.agent.folder / "healthy"
        healthy.write_text(one.script.read_text())
        reset = (f"echo $GYRE_GPU >> {one.agent.folder}/reset; test ! -e {one.agent.folder}/broken "
                 f"&& cp {healthy} {one.script}")
        fleet.agent(name, "--repair", "reset=" + reset,
                    "--repair", 'burn-in=exec "$GYRE_PROGRAM" burn-in --for 1s')
        gpus.append(one)
    for one in gpus:
        one.until_sound()
    return gpus


def incident_of(fleet, node, *outcomes):
    def found():
        return next((one for one in fleet.json("incidents")["incidents"]
                     if (one["node"], one["symptom"]) == (node, "device_fault") and
                     one["outcome"] in outcomes), None)
    return until(found, lambda: fleet.json("incidents"))


def test_a_gpu_that_fell_off_is_reset_tested_and_comes_back(fleet, pair):
    job, broken = job_on(fleet, pair)
    where = broken.agent.name
    broken.become("xid 1 1 79\nfails 1 15\n")
    incident = incident_of(fleet, where, "recovered")
    reset, test = incident["steps"]
    assert (reset["step"], reset["gpu"], reset["good"]) == ("reset", 1, True)
    assert (broken.agent.folder / "reset").read_text() == f"GPU-0000-{broken.letter}2\n"
    assert (test["step"], test["good"]) == ("burn-in", True)
    assert re.search(r"passed: 2 GPUs had no error for 1\.0s; not tested: computing",
                     test["detail"])
    assert incident["moved"] == [{"job": int(job), "kept_by": "nothing"}]
    assert re.search(r"evacuate \(fell-off\), 1 job moved, 1 of them without a checkpoint signal, "
                     "reset done", fleet.cli("incidents").stdout)
    assert incident["recovery_ms"] >= 1000 and test["ended_at"] >= reset["ended_at"]
    fleet.until(lambda: fleet.node(where)["state"] == "up", "it is in service again")
    moves_away(fleet, job, where)


def test_a_reset_that_fails_leaves_the_node_to_a_person(fleet, pair):
    a, _ = pair
    (a.agent.folder / "broken").touch()
    a.become("xid 1 0 79\n")
    incident = incident_of(fleet, "a", "failed")
    [reset] = incident["steps"]
    assert (reset["good"], reset["detail"]) == (False, "exit code 1")
    assert fleet.node("a")["state"] == "quarantined"
    assert incident["undo"] == "gyre node uncordon a"
    assert "reset failed" in fleet.cli("incidents").stdout
    fleet.cli("node", "uncordon", "a")
    fleet.until(lambda: fleet.node("a")["state"] == "up", "a person put it back")


def test_a_device_that_is_still_broken_does_not_pass(fleet, pair):
    a, _ = pair
    (a.agent.folder / "healthy").write_text(a.script.read_text() + "fails 1 15\n")
    a.become("xid 1 1 79\nfails 1 15\n")
    incident = incident_of(fleet, "a", "failed")
    assert [step["good"] for step in incident["steps"]] == [True, False]
    assert "GPU 1" in incident["steps"][1]["detail"]
    assert "is lost" in incident["steps"][1]["detail"]


def test_a_device_that_is_gone_does_not_pass(fleet, pair):
    a, _ = pair
    first = next(line for line in a.script.read_text().splitlines() if line.startswith("device"))
    (a.agent.folder / "healthy").write_text(first + "\n")
    a.become("xid 1 1 79\n")
    incident = incident_of(fleet, "a", "failed")
    assert [step["good"] for step in incident["steps"]] == [True, False]
    assert "only 1 of 2 GPUs are found" in incident["steps"][1]["detail"]


def test_the_servers_next_life_goes_on_with_it(fleet, pair):
    a, _ = pair
    (a.agent.folder / "broken").touch()
    a.agent.end()  # so that the order finds nobody
    fleet.until(lambda: fleet.node("a")["state"] != "up", "it is missed")
    (a.agent.folder / "broken").unlink()
    a.become("")
    a.agent.start(None, "--repair", f"reset=echo here >> {a.agent.folder}/reset",
                  "--repair", "burn-in=echo fine")
    fleet.until(lambda: fleet.node("a")["state"] == "up", "it is back")
    a.until_sound()
    a.become("xid 1 0 79\n")
    until(lambda: any(one["symptom"] == "device_fault"
                      for one in fleet.json("incidents")["incidents"]), "it is noticed")
    fleet.end(signal.SIGKILL)
    fleet.serve()
    incident = incident_of(fleet, "a", "recovered")
    assert [step["step"] for step in incident["steps"]] == ["reset", "burn-in"]
    assert (a.agent.folder / "reset").read_text() == "here\n", "once"
