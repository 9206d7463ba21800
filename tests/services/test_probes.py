"""Commands and heartbeats as probes: what they say, and what is left of those that misbehave."""
import os
import signal
import subprocess
import sys

from serving import REPLICA, missed_soon

SERVE = f"exec {sys.executable} {REPLICA}"


def running(marker):
    """The processes whose command has the marker in it, apart from this one."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if marker.encode() in file.read() and int(pid) != os.getpid():
                    found.append(int(pid))
        except OSError:
            continue
    return found


def changes(cloud, name="web"):
    return [one["event"] for one in cloud.json("service", "events", name)["events"]]


def fault(cloud):
    return next((one["fault"] for one in cloud.service()["replicas"] if one["fault"]), "")


def check_command_probe(cloud):
    """Ready once a command inside says so; what it wrote is the reason until then."""
    check = "if [ -e up ]; then exit 0; fi; echo still loading weights >&2; exit 3"
    cloud.apply(command=["sh", "-c", SERVE], wait=False,
                probes={"readiness": {"exec": check, "period": "200ms"}})
    cloud.until(lambda: "exit code 3: still loading weights" in fault(cloud), "its reason")
    cloud.cli("exec", "1", "--", "touch", "up")
    cloud.until(lambda: cloud.service()["ready"] == 1, "its being ready")
    assert cloud.ask("/who")[0] == 200
    cloud.cli("exec", "1", "--", "rm", "up")
    cloud.until(lambda: cloud.service()["ready"] == 0, "its not being ready")
    assert changes(cloud)[:4] == ["applied", "replica_created", "replica_started",
                                  "replica_not_ready"]
    assert changes(cloud)[-1] == "replica_not_ready"


def check_hanging_probe(cloud):
    """A probe that hangs, forks and shuts its ears is ended with all that it started."""
    marker = f"sleep 86{os.getpid()}"
    hang = f"trap '' HUP TERM; {marker} & {marker} & (setsid {marker} &) ; {marker}"
    cloud.apply(command=["sh", "-c", SERVE], wait=False,
                probes={"readiness": {"exec": hang, "period": "200ms", "timeout": "300ms"}})
    cloud.until(lambda: "did not end in time" in fault(cloud), "its reason")
    cloud.cli("service", "delete", "web")
    cloud.until(lambda: not cloud.json("services")["services"], "its end")
    cloud.until(lambda: not running(marker), "the end of what the probe started")


def test_a_command_says_whether_a_replica_is_ready(cloud):
    check_command_probe(cloud)


def test_a_command_on_another_node(village):
    check_command_probe(village)


def test_nothing_is_left_of_a_command_that_hangs(cloud):
    check_hanging_probe(cloud)


def test_a_command_that_floods_is_ended(cloud):
    cloud.apply(wait=False, probes={"readiness": {"exec": "yes flood", "timeout": "30s"}})
    cloud.until(lambda: "wrote more than 1 MiB" in fault(cloud), "its reason")
    assert "flood" in fault(cloud)
    cloud.cli("service", "delete", "web")
    cloud.until(lambda: not running("yes\0flood"), "the end of what the probe started")


def test_a_program_that_is_not_there_is_named(cloud):
    cloud.apply(wait=False, probes={"readiness": {"exec": ["no-such-check"]}})
    cloud.until(lambda: "no program 'no-such-check'" in fault(cloud), "its reason")


def test_a_replica_without_a_heartbeat_is_started_anew(cloud):
    beat = f"({SERVE}) & while [ ! -e quiet ]; do echo beat; sleep 0.1; done; wait"
    cloud.apply(command=["sh", "-c", beat],
                probes={"readiness": {"http": "/health", "period": "100ms"},
                        "liveness": {"heartbeat": "3s", "period": "500ms", "line": "beat"}})
    cloud.cli("exec", "1", "--", "touch", "quiet")
    cloud.until(lambda: "replica_unhealthy" in changes(cloud), "its being missed")
    cloud.until(lambda: cloud.service()["ready"] == 1, "its next life")
    events = cloud.json("service", "events", "web")["events"]
    unhealthy = next(one for one in events if one["event"] == "replica_unhealthy")
    assert "a line with 'beat' every 3.0s: none for" in unhealthy["detail"]
    assert cloud.ask("/who")[1].startswith(b"1.2:")


def test_what_becomes_of_a_service_is_told(cloud):
    cloud.apply(replicas=2)
    cloud.apply(version="2", replicas=2)
    cloud.apply(version="2", replicas=1)
    cloud.until(lambda: len(cloud.service()["replicas"]) == 1, "fewer replicas")
    told = changes(cloud)
    assert told[0] == "applied" and told.count("replica_ready") == 4 and "rolled_out" in told
    assert "scaled" in told and told.count("replica_gone") == 3
    table = cloud.cli("service", "events", "web").stdout
    assert "replica_retired" in table and "from 2 to 1 replicas" in table
    first = cloud.http("GET", "/v1/services/web/events?limit=2&cursor=0.0")[2]
    assert len(first["events"]) == 2 and first["more"]
    latest = cloud.http("GET", "/v1/services/web/events?limit=2")[2]
    assert [one["event"] for one in latest["events"]] == told[-2:] and not latest["more"]
    rest = cloud.http("GET", f"/v1/services/web/events?cursor={first['next_cursor']}&limit=1000")[2]
    assert [one["event"] for one in first["events"] + rest["events"]] == told
    cloud.cli("service", "delete", "web")
    cloud.until(lambda: not cloud.json("services")["services"], "its end")
    assert "deleted" in changes(cloud)
    assert cloud.http("GET", "/v1/services/none/events")[0] == 404
    assert cloud.http("GET", "/v1/services/web/events?cursor=x")[0] == 400


def agent_of(village, node):
    state = str(village.state / "nodes")
    for pid in running(state):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")[:-1]
        if b"agent" in words and node.encode() in words:
            return pid, [word.decode() for word in words]
    raise AssertionError(f"no agent of {node}")


def test_a_replica_whose_agent_alone_restarts_stays_ready(village):
    village.apply(replicas=2, probes={"readiness": {"http": "/health", "period": "100ms"},
                                      "liveness": {"exec": "true", "period": "200ms"}})
    node = village.job(1)["nodes"][0]
    pid, words = agent_of(village, node)
    space = f"gyre{village.street()}-{node.removeprefix('node-')}"
    words[0] = os.readlink(f"/proc/{pid}/exe")
    os.kill(pid, signal.SIGKILL)
    agent = subprocess.Popen(["nsenter", f"--net=/run/netns/{space}", *words],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        # Its agent has come back when a command runs there again.
        village.until(lambda: village.cli("exec", "1", "--", "true", code=None).returncode == 0,
                      "its agent")
        assert "replica_not_ready" not in changes(village)
        assert "replica_unhealthy" not in changes(village)
        assert village.service()["ready"] == 2
    finally:
        agent.terminate()
        agent.wait()


@missed_soon
def test_a_node_that_is_cut_off_is_no_crash_of_its_replicas(village):
    village.apply(replicas=2, probes={
        "readiness": {"http": "/health", "period": "100ms"},
        "liveness": {"http": "/health", "period": "100ms", "timeout": "500ms"}})
    node = village.job(1)["nodes"][0]
    village.set_link(node, "down")
    village.until(lambda: village.service()["ready"] == 1, "its being missed")
    village.until(lambda: village.service()["ready"] == 2, "a replica in its place")
    village.set_link(node, "up")
    # The other one may have been too slow for its probe on a busy machine.
    told = [one["event"] for one in village.json("service", "events", "web")["events"]
            if one["replica"] == 1]
    assert "replica_started" in told and "replica_unhealthy" not in told
    ends = [one for one in village.json("events", "1")["events"] if one["to"] == "queued"]
    assert [one["reason"] for one in ends if one["reason"]] == ["node_lost"]
