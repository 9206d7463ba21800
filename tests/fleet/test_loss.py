"""Agents and servers die, networks are cut; no task ever runs twice at once."""
import os
import shutil
import signal

import pytest

from cloud import netns_works
from fleets import patient
from test_gangs import MEET


@patient
def test_a_killed_agent_finds_its_tasks_again(fleet):
    agent = fleet.agent("a")
    job = fleet.submit_lone(4)
    fleet.until(lambda: fleet.ran(1), "it runs")
    agent.end(signal.SIGKILL)
    agent.start()
    assert fleet.wait(job)["state"] == "succeeded"
    assert fleet.job(job)["attempt"] == 1


@patient
def test_a_killed_server_finds_its_nodes_again(fleet):
    fleet.agent("a")
    job = fleet.submit_lone(3)
    fleet.until(lambda: fleet.ran(1), "it runs")
    fleet.end(signal.SIGKILL)
    fleet.serve()
    assert fleet.wait(job)["state"] == "succeeded"
    assert fleet.job(job)["attempt"] == 1


@pytest.mark.parametrize("after", range(3))
def test_server_and_agents_killed_at_any_point_lose_and_double_nothing(fleet, after):
    agents = [fleet.agent(name) for name in "ab"]
    jobs = [fleet.submit(["sh", "-c", "echo begun; sleep 0.3; echo done"], retry={
        "on": ["interruption", "no-capacity"], "max": 9, "backoff": "0s..0s"}) for _ in range(12)]
    for turn in range(3):
        fleet.wait(jobs[2 * turn + after], "running", "succeeded")
        fleet.end(signal.SIGKILL)
        victim = agents[turn % 2]
        victim.end(signal.SIGKILL)
        fleet.serve()
        victim.start()
    for job in jobs:
        assert fleet.wait(job)["state"] == "succeeded"
    fleet.until(lambda: all(fleet.node(name)["state"] == "up" for name in "ab"), "both are back")
    for job in jobs:
        assert fleet.cli("logs", job).stdout.endswith("begun\ndone\n")


def test_a_dead_agents_tasks_end_before_others_take_their_place(fleet):
    agent = fleet.agent("a")
    job = fleet.submit_lone(1000)
    fleet.until(lambda: fleet.ran(1), "it runs")
    agent.end(signal.SIGKILL)  # and nobody starts it again: its supervisors are on their own
    fleet.agent("b")
    fleet.until(lambda: fleet.node("a")["state"] != "up", "a is missed")
    fleet.until(lambda: fleet.ran(2), "it runs again")
    assert fleet.node("a")["state"] == "down"
    assert fleet.job(job)["nodes"] == ["b"]
    fleet.cli("stop", job)
    fleet.wait(job)
    agent.start()
    fleet.until(lambda: fleet.node("a")["state"] == "up", "a is back")


@pytest.fixture
def village(fleet):
    """Four nodes of one `gyre up`, each in a network namespace of its own."""
    if not netns_works():
        pytest.skip("network namespaces need root and iproute2")
    fleet.end()
    shutil.rmtree(fleet.state)
    fleet.up("--nodes", "4", "--node-lease", "3s", "--virtual-gpus", "2xH100:80GB")
    yield fleet
    fleet.stop_all()
    street = fleet.street()
    fleet.end()
    assert f"gyre{street}" not in os.listdir("/sys/class/net"), "the bridge is left behind"
    fleet.serve()


def test_four_nodes_on_one_machine_have_addresses_and_meet(village):
    nodes = village.json("nodes")["nodes"]
    assert [n["name"] for n in nodes] and len({n["machine"]["address"] for n in nodes}) == 4
    job = village.submit(["python3", "-c", MEET], nodes=2)
    assert village.wait(job)["state"] == "succeeded"
    assert village.cli("logs", job).stdout == "heard rank one\n"


def test_a_cut_network_fences_the_node_and_its_job_goes_on_elsewhere(village):
    job = village.submit_lone(1000)
    village.until(lambda: village.ran(1), "it runs")
    [name] = village.job(job)["nodes"]
    village.set_link(name, "down")
    village.until(lambda: village.node(name)["state"] != "up", "it is missed")
    village.until(lambda: village.ran(2), "it runs elsewhere")
    assert village.job(job)["nodes"] != [name]
    village.set_link(name, "up")
    village.until(lambda: village.node(name)["state"] == "up", "it is back")
