"""Whole nodes, networks, disks and the server itself are broken on purpose, and recover."""
import http.client
import json
import os
import shutil
import socket
import subprocess
import time

import pytest

from fleets import Fleet

ALWAYS = "live: {calm: 0s, recovers_within: 1m, nodes_at_once: 1, faults_a_day: 500}\n"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def fleet(gyre, tmp_path):
    """A server that may be broken, and comes back where it was; no agents yet."""
    fleet = Fleet(gyre, tmp_path, "6s")
    fleet.wished_port, fleet.agents_port = free_port(), free_port()
    fleet.serve("--chaos")
    yield fleet
    fleet.close()


@pytest.fixture
def lone_node(fleet):
    fleet.agent("a", "--chaos")
    fleet.until(lambda: status(fleet)["nodes"] == ["a"], "it takes faults")
    fleet.until(lambda: "kill-node" not in status(fleet)["cannot"].get("a", {}), "it says which")
    return fleet


def status(fleet):
    return fleet.json("chaos", "status")


def ask(fleet, target, do, code=202, **more):
    answer = fleet.http("POST", target, {"do": do, "by": "a test", **more})
    assert answer[0] == code, answer
    return answer[2]


def settled(fleet, fault):
    """What has become of it, once that is known; the server may be away meanwhile."""
    def look():
        try:
            status, _, seen = fleet.http("GET", "/v1/chaos")
        except (OSError, http.client.HTTPException):
            return None
        if status == 503:
            return None
        one = next(f for f in seen["faults"] if f["id"] == fault["id"])
        return one if one["state"] not in ("lasts", "ended") else None
    return fleet.until(look, f"{fault} is settled")


def lone_job(fleet, seconds=3000):
    job = fleet.submit_lone(seconds, retry={"on": ["error", "interruption", "no-capacity"],
                                            "max": 9, "backoff": "0s..0s"})
    fleet.until(lambda: fleet.ran(1), "it runs")
    return job


def test_a_killed_server_is_back_with_what_it_knew(lone_node):
    job = lone_job(lone_node)
    server = lone_node.process.pid
    fault = ask(lone_node, "/v1/chaos/faults", "kill-server", **{"for": "500ms"})
    assert (fault["node"], fault["state"]) == ("", "lasts")
    assert settled(lone_node, fault)["state"] == "recovered"
    assert lone_node.process.pid == server and lone_node.process.poll() is None
    assert lone_node.job(job)["state"] == "running" and lone_node.job(job)["attempt"] == 1


def test_a_paused_server_goes_on(lone_node):
    job = lone_job(lone_node)
    fault = ask(lone_node, "/v1/chaos/faults", "pause-server", **{"for": "2s"})
    assert settled(lone_node, fault)["state"] == "recovered"
    assert lone_node.job(job)["attempt"] == 1


def test_a_servers_clock_jumps_and_comes_back(lone_node):
    def submitted():
        job = lone_node.submit(["true"])
        return lone_node.job(job)["submitted_at"]
    before = submitted()
    fault = ask(lone_node, "/v1/chaos/faults", "step-clock", jump="9m", **{"for": "1s"})
    assert fault["jump_ms"] == 540_000
    jumped = submitted()
    assert jumped > before
    assert settled(lone_node, fault)["state"] == "recovered"
    assert submitted() >= jumped, "time never goes back"
    for wrong in ({"do": "step-clock", "jump": "9m"}, {"do": "step-clock", "jump": "11m"},
                  {"do": "kill-node"}, {"do": "kill-server", "for": "11m"}):
        assert lone_node.http("POST", "/v1/chaos/faults", wrong)[0] == 422, wrong


def test_a_slow_disk_delays_each_commit(lone_node):
    for wrong in ({"do": "slow-disk", "for": "1s"}, {"do": "slow-disk", "delay": "11s"},
                  {"do": "break-disk", "delay": "1s"}):
        assert lone_node.http("POST", "/v1/chaos/faults", wrong)[0] == 422, wrong
    fault = ask(lone_node, "/v1/chaos/faults", "slow-disk", delay="1500ms", **{"for": "9m"})
    assert fault["delay_ms"] == 1500
    began = time.monotonic()
    lone_node.submit(["true"])
    assert time.monotonic() - began >= 1.5
    assert lone_node.http("GET", "/healthz")[2]["storage"]["status"] == "slow"
    assert lone_node.cli("chaos", "off").returncode == 0
    assert settled(lone_node, fault)["state"] == "recovered", "nine minutes before its time"


def test_a_server_whose_disk_breaks_comes_back_with_what_was_committed(lone_node):
    job = lone_job(lone_node)
    server = lone_node.process.pid
    fault = ask(lone_node, "/v1/chaos/faults", "break-disk", **{"for": "4s"})
    try:
        status_code = lone_node.http("POST", "/v1/jobs", {"name": "x", "command": "true"})[0]
    except (OSError, http.client.HTTPException):
        status_code = 503
    assert status_code >= 500, "the first commit that fails ends the server"
    assert settled(lone_node, fault)["state"] == "recovered"
    assert lone_node.process.pid == server and lone_node.process.poll() is None
    assert [one["id"] for one in lone_node.http("GET", "/v1/jobs")[2]["jobs"]] == [job]
    assert lone_node.job(job)["state"] == "running" and lone_node.job(job)["attempt"] == 1


def test_a_node_that_loses_its_power_comes_back_empty(lone_node):
    job = lone_job(lone_node)
    fault = ask(lone_node, "/v1/nodes/a/faults", "kill-node", **{"for": "500ms"})
    lone_node.until(lambda: lone_node.ran(2), "its task runs again")
    assert settled(lone_node, fault)["state"] == "recovered"
    assert lone_node.job(job)["attempt"] == 2


def test_a_broken_gpu_takes_its_node_out_until_it_is_mended(lone_node):
    job = lone_job(lone_node)
    fault = ask(lone_node, "/v1/nodes/a/faults", "break-gpu", which=0, **{"for": "2s"})
    lone_node.until(lambda: lone_node.ran(2), "its task runs again")
    assert settled(lone_node, fault)["state"] == "recovered"
    assert lone_node.node("a")["state"] == "up"
    assert lone_node.job(job)["state"] == "running"
    lone_node.until(lambda: status(lone_node)["calm"], "nothing of it is left")


def test_a_slow_network_stands_in_no_other_faults_way(lone_node):
    lone_job(lone_node)
    network = {"delay_ms": [10, 200], "late_percent": 10, "late_by_ms": [100, 500]}
    slow = ask(lone_node, "/v1/nodes/a/faults", "slow-network", network=network,
               **{"for": "9m"})
    seen = status(lone_node)
    assert (seen["nodes_broken"], seen["faults_today"]) == (0, 0)
    fault = ask(lone_node, "/v1/nodes/a/faults", "restart-agent", **{"for": "200ms"})
    assert settled(lone_node, fault)["state"] == "recovered"
    other = ask(lone_node, "/v1/nodes/a/faults", "slow-network", network={"lost_percent": 5},
                **{"for": "9m"})
    assert settled(lone_node, slow)["state"] == "recovered", "another one has its place"
    assert lone_node.http("DELETE", "/v1/nodes/a/faults")[0] == 200
    assert settled(lone_node, other)["state"] == "recovered", "nine minutes before its time"
    for wrong in ({"do": "slow-network"}, {"do": "cut-node", "network": network},
                  {"do": "slow-network", "network": {"delay_ms": [5, 1]}},
                  {"do": "slow-network", "network": {"twice_percent": 1}}):
        assert lone_node.http("POST", "/v1/nodes/a/faults", wrong)[0] == 422, wrong


def shares_its_disk(folder):
    """Whether the program holds that folder's file system for one that others use."""
    own = os.stat(folder).st_dev != os.stat("/").st_dev
    return not own or shutil.disk_usage(folder).total > 4 << 30


def test_a_disk_that_others_use_is_not_filled(lone_node):
    if not shares_its_disk(lone_node.folder):
        pytest.skip("the tests' folder is on a small file system of its own")
    said = ask(lone_node, "/v1/nodes/a/faults", "fill-disk", 409, **{"for": "1s"})["detail"]
    assert "node a cannot have fill-disk" in said and "mount one of its own" in said
    said = ask(lone_node, "/v1/chaos/faults", "fill-disk", 409, **{"for": "1s"})["detail"]
    assert "the server cannot have fill-disk" in said
    assert status(lone_node)["faults"] == []


def test_a_small_disk_is_filled_and_emptied(fleet):
    if os.geteuid() != 0:
        pytest.skip("mounts a tmpfs: only root may")
    folder = fleet.new_agent("b").folder
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32M", "none", folder],
                      capture_output=True, check=False).returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    try:
        fleet.agent("b", "--chaos")
        fleet.until(lambda: status(fleet)["nodes"] == ["b"], "it takes faults")
        fault = ask(fleet, "/v1/nodes/b/faults", "fill-disk", **{"for": "9m"})
        assert shutil.disk_usage(folder).free < 64 * 1024
        fleet.http("DELETE", "/v1/nodes/b/faults")
        assert settled(fleet, fault)["state"] == "recovered"
        fleet.until(lambda: shutil.disk_usage(folder).free > 1024 * 1024, "there is room again")
        fault = ask(fleet, "/v1/nodes/b/faults", "fill-disk", **{"for": "1s"})
        fleet.until(lambda: shutil.disk_usage(folder).free > 1024 * 1024, "also by itself")
    finally:
        fleet.agents["b"].end()
        subprocess.run(["umount", "-l", folder], check=False)


BOTH = """version: 1
name: both
lasts: 8s
fleet: {nodes: 1, gpus: 2, lease: 10s}
jobs: {count: 2, nodes: 1, gpus: 1, length: 1s..5s, preemptible: 0%..100%}
network: {delay: 1ms..20ms, late: 0%..5%, late_by: 10ms..100ms}
faults:
  - {do: kill-server, at: 100ms, for: 200ms}
  - {do: step-clock, at: 3s, for: 200ms, by: -1m..1m}
  - {do: kill-node, at: 5s, for: 100ms}
""" + ALWAYS


def test_one_file_is_lived_through_in_both_worlds(lone_node):
    path = lone_node.folder / "both.yaml"
    path.write_text(BOTH)
    simulated = lone_node.json("chaos", path, "--seed", 5)
    assert simulated["violations"] == []
    lone_job(lone_node)
    done = lone_node.cli("chaos", path, "--live", "--yes", "--seed", 5, "-o", "json")
    report = json.loads(done.stdout)
    assert not report["switched_off"], done.stderr
    happened = [fault["do"] for fault in report["faults"]]
    assert report["recovered"] == len(happened) >= 1, done.stderr
    assert happened[0] == "kill-server"
    seen = status(lone_node)["faults"]
    slow = [fault for fault in seen if fault["do"] == "slow-network"]
    assert slow and all(fault["state"] == "recovered" for fault in slow), "it was mended"


def test_what_cannot_be_had_is_refused_before_anything_is_broken(lone_node):
    if not shares_its_disk(lone_node.folder):
        pytest.skip("the tests' folder is on a small file system of its own")
    path = lone_node.folder / "scenario.yaml"
    path.write_text("version: 1\nname: x\nlasts: 1h\nfaults:\n  - {do: kill-task, at: 0s}\n"
                    "  - {do: fill-disk, at: 1m, for: 1s}\n")
    said = lone_node.cli("chaos", path, "--live", "--yes", code=1).stderr
    assert "faults[1]: fill-disk cannot be had here: node a:" in said
    assert "nothing is broken" in said
    assert status(lone_node)["faults"] == []


def test_a_server_whose_operator_did_not_allow_it_is_not_broken(gyre, tmp_path):
    fleet = Fleet(gyre, tmp_path, "6s")
    fleet.serve()
    try:
        said = ask(fleet, "/v1/chaos/faults", "kill-server", 409)["detail"]
        assert "must start it with --chaos" in said
        path = tmp_path / "scenario.yaml"
        path.write_text("version: 1\nname: x\nfaults: [{do: kill-server, every: 1h}]\n")
        said = fleet.cli("chaos", path, "--live", "--yes", code=1).stderr
        assert "faults[0]: kill-server cannot be had here" in said
        path.write_text("version: 1\nname: x\nfaults: [{do: kill-task, every: 1h}]\n")
        said = fleet.cli("chaos", path, "--live", "--yes", code=1).stderr
        assert "no node that may be hit takes faults" in said
    finally:
        fleet.close()
