"""What a task leaves on another machine is fetched from there, and ports are that machine's."""
import socket

from cloud import until


def test_artifacts_come_from_the_tasks_own_node(fleet):
    fleet.agent("a")
    fleet.agent("b")
    job = fleet.submit("mkdir out; echo $GYRE_TASK_RANK > out/rank", nodes=2, artifacts=["out"])
    assert fleet.wait(job)["state"] == "succeeded"
    for rank in (0, 1):
        fleet.cli("artifacts", "get", job, "--rank", rank, "--to", f"of-{rank}")
        assert (fleet.folder / f"of-{rank}/out/rank").read_text() == f"{rank}\n"


def test_a_node_that_is_away_is_waited_for(fleet):
    agent = fleet.agent("a")
    job = fleet.submit("echo 1 > a", artifacts=["a"])
    fleet.wait(job)
    agent.end()
    until(lambda: fleet.http("GET", f"/v1/jobs/{job}/artifacts")[0] == 503, "it says so")
    assert "is not connected" in fleet.cli("artifacts", "ls", job, code=1).stderr
    agent.start()
    until(lambda: fleet.http("GET", f"/v1/jobs/{job}/artifacts")[0] == 200, "it is back")


def test_ports_are_shown_with_the_nodes_address(fleet):
    fleet.agent("a")
    job = fleet.submit("exec python3 -m http.server $GYRE_PORT_WEB", ports=["web"])
    fleet.wait(job, "running")
    [port] = until(lambda: fleet.job(job)["ports"], "its port")
    assert (port["name"], port["rank"], port["node"]) == ("web", 0, "a")
    assert port["address"] == "127.0.0.1"

    def answers():
        try:
            with socket.create_connection((port["address"], port["port"]), 5):
                return True
        except OSError:
            return False

    until(answers, "it can be reached there")
    fleet.cli("stop", job)
    assert fleet.wait(job)["ports"] == []
