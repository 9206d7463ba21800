"""A running fleet is broken on purpose, within bounds, and recovers."""
import datetime
import json
import pathlib
import signal
import time

import pytest

from fleets import Fleet

ALWAYS = "live: {calm: 0s, recovers_within: 1m, nodes_at_once: 1, faults_a_day: 500}\n"


@pytest.fixture
def pair(gyre, tmp_path):
    """Two nodes that may be broken, and one whose operator has not allowed it."""
    fleet = Fleet(gyre, tmp_path, "6s")
    fleet.serve()
    for name in "ab":
        fleet.agent(name, "--chaos")
    fleet.agent("shy")
    fleet.until(lambda: status(fleet)["nodes"] == ["a", "b"], "both take faults")
    yield fleet
    fleet.close()


def status(fleet):
    return fleet.json("chaos", "status")


def inject(fleet, node, do, code=202, **more):
    answer = fleet.http("POST", f"/v1/nodes/{node}/faults", {"do": do, "by": "a test", **more})
    assert answer[0] == code, answer
    return answer[2]


def settled(fleet, fault):
    """What has become of it, once that is known."""
    def look():
        one = next(f for f in status(fleet)["faults"] if f["id"] == fault["id"])
        return one if one["state"] not in ("lasts", "ended") else None
    return fleet.until(look, f"{fault} is settled")


def lone(fleet, seconds=3000, **retry):
    job = fleet.submit_lone(seconds, retry={
        "on": ["error", "interruption", "no-capacity"], "max": 9, "backoff": "0s..0s", **retry})
    fleet.until(lambda: fleet.ran(1), "it runs")
    return job


def node_of(fleet, job):
    return fleet.wait(job, "running")["nodes"][0]


def keep_off(fleet, *names):
    for name in names:
        fleet.cli("node", "cordon", name)


def stopped(agent):
    """Whether the kernel says that it is stopped."""
    stat = pathlib.Path(f"/proc/{agent.process.pid}/stat").read_text()
    return stat.rsplit(")", 1)[1].split()[0] == "T"


def test_a_killed_task_runs_again(pair):
    keep_off(pair, "b", "shy")
    job = lone(pair)
    fault = inject(pair, "a", "kill-task")
    assert (fault["job"], fault["task"], fault["attempt"]) == (job, 0, 1)
    pair.until(lambda: pair.ran(2), "it runs again")
    done = settled(pair, fault)
    assert done["state"] == "recovered" and done["recovery_ms"] < 60_000
    assert done["by"] == "a test"
    metrics = pair.http("GET", "/metrics")[2].decode()
    assert 'gyre_chaos_faults_total{do="kill-task"} 1' in metrics and "gyre_chaos_on 1" in metrics


def test_a_hung_task_goes_on(pair):
    keep_off(pair, "b", "shy")
    beat = pair.folder / "beat"
    job = pair.submit(["sh", "-c", f"while :; do date +%s%N > {beat}.n; mv {beat}.n {beat}; "
                       "sleep 0.05; done"], retry={"on": ["error"], "max": 3})
    pair.until(beat.exists, "it beats")
    fault = inject(pair, "a", "hang-task", job=job, **{"for": "3s"})

    def pauses():
        first = beat.read_text()
        time.sleep(0.4)
        return beat.read_text() == first
    pair.until(pauses, "it hangs")
    pair.until(lambda: not pauses(), "it goes on")
    assert settled(pair, fault)["state"] == "recovered"
    assert pair.job(job)["attempt"] == 1
    # Also while nobody is left to mend it.
    inject(pair, "a", "hang-task", job=job, **{"for": "2s"})
    pair.agents["a"].end(signal.SIGKILL)
    pair.until(lambda: not pauses(), "it goes on without its agent")
    pair.agents["a"].start(None, "--chaos")


def test_a_cut_node_loses_its_tasks_only_when_its_lease_is_over(pair):
    keep_off(pair, "shy")
    job = lone(pair)
    node = node_of(pair, job)
    fault = inject(pair, node, "cut-node", **{"for": "1s"})
    assert settled(pair, fault)["state"] == "recovered"
    assert pair.job(job)["attempt"] == 1, "it was shorter than its lease"
    fault = inject(pair, node, "cut-node", **{"for": "16s"})
    pair.until(lambda: pair.node(node)["state"] in ("silent", "down"), "it is missed")
    pair.until(lambda: pair.ran(2), "its task runs elsewhere")
    assert settled(pair, fault)["state"] == "recovered"
    assert pair.node(node)["state"] == "up"


@pytest.mark.parametrize("way", ["to-server", "to-node"])
def test_a_cut_may_be_one_way(pair, way):
    keep_off(pair, "shy")
    job = lone(pair)
    fault = inject(pair, node_of(pair, job), "cut-node", way=way, **{"for": "2s"})
    assert fault["way"] == way
    assert settled(pair, fault)["state"] == "recovered"
    assert pair.job(job)["state"] == "running"


def test_a_paused_agent_goes_on_and_so_do_its_tasks(pair):
    keep_off(pair, "shy")
    job = lone(pair)
    name = node_of(pair, job)
    fault = inject(pair, name, "pause-agent", **{"for": "3s"})
    pair.until(lambda: stopped(pair.agents[name]), "it is stopped")
    pair.until(lambda: not stopped(pair.agents[name]), "it goes on")
    assert settled(pair, fault)["state"] == "recovered"
    assert pair.job(job)["attempt"] == 1


def test_an_agent_begins_anew_and_finds_its_tasks(pair):
    keep_off(pair, "b", "shy")
    job = lone(pair, 6)
    agent = pair.agents["a"]
    fault = inject(pair, "a", "restart-agent", **{"for": "500ms"})
    assert settled(pair, fault)["state"] == "recovered"
    assert agent.process.poll() is None, "it is the same process"
    assert agent.said().count("Ctrl-C ends the agent") == 2
    assert pair.wait(job)["state"] == "succeeded" and pair.job(job)["attempt"] == 1
    assert status(pair)["nodes"] == ["a", "b"]


def test_a_drained_node_is_opened_again_unless_a_person_has_spoken(pair):
    fault = inject(pair, "shy", "drain-node", **{"for": "4s"})
    assert pair.node("shy")["state"] == "draining"
    assert settled(pair, fault)["state"] == "recovered"
    pair.until(lambda: pair.node("shy")["state"] == "up", "it is open")
    fault = inject(pair, "shy", "drain-node", **{"for": "1s"})
    pair.cli("node", "cordon", "shy")
    assert settled(pair, fault)["state"] == "recovered"
    assert pair.node("shy")["state"] == "cordoned"


def test_what_must_not_be_broken_is_refused(pair):
    assert "start it with --chaos" in inject(pair, "shy", "cut-node", 409)["detail"]
    inject(pair, "nobody", "cut-node", 404)
    assert pair.http("DELETE", "/v1/nodes/nobody/faults")[0] == 404
    assert "no task runs on node a" in inject(pair, "a", "kill-task", 404)["detail"]
    keep_off(pair, "b", "shy")
    frail = pair.submit(["sleep", "3000"], retry={"max": 0})
    pair.wait(frail, "running")
    assert "would be tried again" in inject(pair, "a", "kill-task", 404)["detail"]
    assert "would not be tried again" in inject(pair, "a", "cut-node", 409)["detail"]
    assert "may not be hit" in inject(pair, "a", "restart-agent", 409, queues=["other"])["detail"]
    assert [f["state"] for f in status(pair)["faults"]] == [], "nothing of it was begun"
    fault = inject(pair, "a", "kill-task", job=frail)  # named, so it is meant
    assert settled(pair, fault)["state"] == "lost"
    for wrong in ({"do": "kill-server"}, {"do": "cut-node", "for": "11m"}, {"for": "1s"},
                  {"do": "cut-node", "fore": "1s"}, {"do": "cut-node", "way": "up"}):
        assert pair.http("POST", "/v1/nodes/a/faults", wrong)[0] == 422, wrong
    assert pair.http("POST", "/v1/chaos", {"on": "maybe"})[0] == 422
    assert pair.http("GET", "/v1/chaos?limit=5000")[0] == 400


def test_the_switch_is_kept_and_mends(pair):
    fault = inject(pair, "a", "cut-node", **{"for": "9m"})
    assert "another fault" in inject(pair, "a", "cut-node", 409)["detail"]
    pair.cli("chaos", "off")
    assert settled(pair, fault)["state"] == "recovered", "nine minutes before its time"
    assert "chaos is off" in inject(pair, "a", "cut-node", 409)["detail"]
    pair.end()
    pair.serve()
    seen = status(pair)
    assert not seen["on"] and seen["turned_by"] and len(seen["faults"]) == 1
    assert "chaos is off" in pair.cli("chaos", "status").stdout
    pair.cli("chaos", "on")
    pair.until(lambda: status(pair)["nodes"] == ["a", "b"], "both take faults again")
    assert status(pair)["on"] and status(pair)["calm"]


def test_a_server_that_was_killed_ends_what_it_began(pair):
    fault = inject(pair, "shy", "drain-node", **{"for": "3s"})
    pair.end(signal.SIGKILL)
    pair.serve()
    assert settled(pair, fault)["state"] == "recovered"
    assert pair.node("shy")["state"] == "up"


def scenario(fleet, text, name="scenario.yaml"):
    path = fleet.folder / name
    path.write_text("version: 1\nname: short\n" + text)
    return path


def test_a_scenario_is_lived_through(pair):
    lone(pair)
    path = scenario(pair, "lasts: 6s\nfaults:\n"
                    "  - {do: restart-agent, at: 100ms, for: 0s}\n"
                    "  - {do: cut-node, at: 4s, for: 1s}\n" + ALWAYS)
    done = pair.cli("chaos", path, "--live", "--yes", "--seed", 3, "-o", "json")
    report = json.loads(done.stdout)
    assert report["seed"] == 3 and not report["switched_off"]
    happened = [fault["do"] for fault in report["faults"]]
    assert report["recovered"] == len(happened) >= 1, done.stderr
    assert set(fault["node"] for fault in report["faults"]) <= {"a", "b"}
    assert [f["do"] for f in reversed(status(pair)["faults"])] == happened
    assert "short seed 3" in status(pair)["faults"][0]["by"]


def test_an_interrupted_scenario_leaves_nothing_broken(pair):
    path = scenario(pair, "lasts: 1h\nfaults: [{do: cut-node, at: 100ms, for: 10m}]\n" + ALWAYS)
    client = pair.start("chaos", str(path), "--live", "--yes")
    fault = pair.until(lambda: status(pair)["faults"], "it is cut")[0]
    client.send_signal(signal.SIGINT)
    client.wait(60)
    assert client.returncode == 0, client.stderr.read()
    assert settled(pair, fault)["state"] == "recovered"
    assert "is being mended" in client.stderr.read()


def test_bounds_hold(pair):
    now = datetime.datetime.now(datetime.timezone.utc)
    later = now + datetime.timedelta(hours=6)
    other = now + datetime.timedelta(hours=7)
    faults = "lasts: 2s\nfaults: [{do: restart-agent, at: 0s}]\n"
    closed = scenario(pair, faults + f"live: {{calm: 0s, hours: {later:%H}:00..{other:%H}:00}}\n")
    report = pair.json("chaos", closed, "--live", "--yes")
    assert report["faults"] == [] and report["passed_over"] == {"outside of the hours": 1}
    pair.agents["b"].end(signal.SIGKILL)
    pair.until(lambda: not status(pair)["calm"], "its absence is noticed")
    uneasy = scenario(pair, faults + ALWAYS)
    report = pair.json("chaos", uneasy, "--live", "--yes")
    assert report["faults"] == [] and report["passed_over"] == {"the fleet is not calm": 1}
    pair.agents["b"].start(None, "--chaos")
    pair.until(lambda: status(pair)["calm"], "the fleet is calm again")
    pair.cli("chaos", "off")
    report = pair.json("chaos", uneasy, "--live", "--yes")
    assert report["passed_over"] == {"chaos is off at the server": 1}


def test_what_does_not_recover_switches_it_off(pair):
    keep_off(pair, "b", "shy")
    lone(pair)
    agent = pair.agents["a"]
    path = scenario(pair, "lasts: 1h\nfaults: [{do: restart-agent, at: 100ms, for: 8s}]\n"
                    "live: {calm: 0s, recovers_within: 1s, nodes: [a]}\n")
    client = pair.start("chaos", str(path), "--live", "--yes")
    line = pathlib.Path(f"/proc/{agent.process.pid}/cmdline")
    pair.until(lambda: line.read_bytes().startswith(b"/bin/sh"), "it is away")
    agent.end(signal.SIGKILL)  # and does not come back when its time is over
    assert client.wait(60) == 1
    said = client.stderr.read()
    assert "has not recovered" in said and "switched off" in said
    assert not status(pair)["on"]
    agent.start(None, "--chaos")


def test_bad_files_are_refused_before_anything_is_broken(pair):
    wrong = scenario(pair, "faults:\n  - {do: slow-disk, every: 1h, for: 1s, by: 1s}\n"
                     "  - {do: step-clock, every: 1h, by: 1s}\nlive: {calm: 1m}\n")
    said = pair.cli("chaos", wrong, "--live", "--yes", code=2).stderr
    assert "faults[0]: a running fleet cannot have slow-disk of a node" in said
    assert "faults[1]: a running server's clock comes back" in said
    near = scenario(pair, "faults: [{do: kill-task, every: 1h}]\nlive: {nodes_at_onse: 1}\n")
    assert "nodes_at_once" in pair.cli("chaos", near, "--live", "--yes", code=2).stderr
    good = scenario(pair, "faults: [{do: kill-task, every: 1h}]\n")
    assert "--yes" in pair.cli("chaos", good, "--live", code=2, stdin="").stderr
    assert "without --seeds" in pair.cli("chaos", good, "--live", "--yes", "--seeds", 2,
                                         code=2).stderr
    assert "name a scenario" in pair.cli("chaos", code=2).stderr
    assert status(pair)["faults"] == []
