"""Services whose replicas run on other machines than the server."""
import os
import signal
import sys
import threading

from serving import REPLICA, Load, missed_soon

TWO = {"min": 2, "max": 2}


def node_of(village, job):
    nodes = village.job(job)["nodes"]
    return nodes[0] if nodes else None


def kill_agent(village, node):
    """Nobody starts it again: its tasks are on their own."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if str(village.state / "nodes").encode() in b" ".join(words) and node.encode() in words:
            os.kill(int(pid), signal.SIGKILL)


def ready_on(village):
    """The nodes of the ready replicas."""
    return {one["node"] for one in village.service()["replicas"] if one["ready"]}


def test_replicas_on_other_nodes_answer_and_roll_over(village):
    village.apply(replicas=TWO)
    before = ready_on(village)
    assert len(before) == 2
    with Load(village, path="/slow?s=0.05") as load:
        village.until(lambda: {"1.1:1", "2.1:1"} <= set(load.answers), "answers of both")
        village.apply(version="2", replicas=TWO)
        village.until(lambda: all(answer.endswith(":2") for answer in load.answers[-20:]))
    assert load.faults == []
    assert ready_on(village) - before, "the first new one ran beside both old ones"


@missed_soon
def test_a_killed_agents_replica_is_made_anew_elsewhere_and_no_request_fails(village):
    village.apply(replicas=TWO)
    first, second = node_of(village, 1), node_of(village, 2)
    with Load(village, path="/slow?s=0.05") as load:
        village.until(lambda: len(load.answers) > 50)
        kill_agent(village, first)
        village.until(lambda: ready_on(village) == {second}, "its being missed")
        count = len(load.answers)
        village.until(lambda: len(load.answers) > count + 50, "answers of the other one")
        village.until(lambda: len(ready_on(village)) == 2, "a new replica")
        village.until(lambda: "1.2:1" in load.answers[-50:], "its answers")
    assert load.faults == []
    assert ready_on(village) == {second, node_of(village, 1)} and node_of(village, 1) != first


@missed_soon
def test_a_cut_network_holds_no_request(village):
    village.apply(replicas=TWO)
    first = node_of(village, 1)
    with Load(village, path="/slow?s=0.05") as load:
        village.until(lambda: len(load.answers) > 50)
        village.set_link(first, "down")
        village.until(lambda: "1.2:1" in load.answers[-50:], "a new replica's answers")
        village.set_link(first, "up")
    assert load.faults == []  # one that hung would be one that took too long


@missed_soon
def test_a_request_that_a_cut_node_had_is_asked_of_another(village):
    village.apply()
    answers = []
    asked = threading.Thread(target=lambda: answers.append(village.ask("/wait")))
    asked.start()
    village.until(lambda: village.service()["requests"]["in_flight"] == 1, "the request")
    village.set_link(node_of(village, 1), "down")
    village.until(lambda: village.service()["requests"]["retries"] == 1, "its second try")
    village.until(lambda: village.ask("/open")[0] == 200)
    asked.join()
    assert answers == [(200, b"1.2:1")]


def test_what_an_agents_log_says_counts(village):
    command = ["sh", "-c", f"echo warming up; sleep 0.2; echo open >&2; "
                           f"exec {sys.executable} {REPLICA}"]
    village.apply(command=command, probes={"startup": {"log": "warming up"},
                                           "readiness": {"log": "open", "period": "100ms"}})
    assert village.until(lambda: village.ask("/who")[0] == 200)
    silent = {"command": command, "version": "2",
              "probes": {"readiness": {"log": "never said", "period": "100ms"}}}
    village.apply(wait=False, **silent)
    fault = "'never said' in its log: it has not been said yet"
    village.until(lambda: any(fault in one["fault"] for one in village.service()["replicas"]),
                  "its fault")
    result = village.apply(rollout={"progress_deadline": "1s"}, code=1, **silent)
    assert fault in result.stderr
    assert village.ask("/who")[1].endswith(b":1")


def test_the_next_server_finds_replicas_on_its_nodes(village):
    village.apply(replicas=TWO)
    village.kill()
    village.up("--nodes", "3", "--node-lease", "30s", "--virtual-gpus", "1xH100:80GB")
    village.until(lambda: len(ready_on(village)) == 2, "both")
    assert village.ask("/who")[0] == 200
    assert village.service()["revision"] == 1
