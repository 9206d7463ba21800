"""Playbooks of the operator's own: applied, in force, kept, and undone."""
STRICT = """version: 1
name: strict
playbooks:
  refusals:
    on: start_refused
    times: 1
    within: 1h
    do: [cordon]
quarantine: {first: 1m, longest: 2m}
limits: {nodes: 100%, per_hour: 2}
remember: 2h
retry: {jitter: 0%}
"""
CIRCLE = """version: 1
name: round
playbooks:
  a: {on: node_lost, do: [quarantine], again: {times: 2, playbook: b}}
  b: {do: [cordon], again: {times: 3, playbook: a}}
"""


def apply(cloud, text, code=0):
    path = cloud.folder / "playbooks.yaml"
    path.write_text(text, encoding="utf-8")
    return cloud.cli("heal", "apply", path, code=code)


def test_the_built_in_ones_are_printed_as_a_file_that_may_be_applied(cloud):
    text = cloud.cli("heal", "playbooks").stdout
    assert "name: default" in text and "on: device_fault" in text
    assert apply(cloud, text).stdout == text
    document = cloud.json("heal", "playbooks")
    assert document["rules"][0] == {"on": "device_fault", "xid": None, "times": 1,
                                    "within_ms": 86_400_000, "do": "evacuate",
                                    "repair": None, "burn_in": False, "playbook": "device-fault"}
    assert document["nodes_per_hour_max"] is None


def test_ones_own_are_acted_on_kept_and_undone(cloud):
    assert "name: strict" in apply(cloud, STRICT).stdout
    # No such folder: the node cannot start it.
    job = {"command": ["true"], "working_directory": "/nowhere/at/all",
           "retry": {"on": ["no-capacity"], "max": 0}}
    cloud.http("POST", "/v1/jobs", job)
    node = cloud.json("nodes")["nodes"][0]["name"]
    cloud.wait(1)
    assert [one["state"] for one in cloud.json("nodes")["nodes"]] == ["quarantined"]
    incident = cloud.json("incidents")["incidents"][-1]
    assert incident["symptom"] == "start_refused" and incident["remedy"] == "cordon"
    assert incident["undo"] == f"gyre node uncordon {node}"
    cloud.kill()
    cloud.up()
    assert cloud.json("heal", "playbooks")["name"] == "strict"
    assert [one["state"] for one in cloud.json("nodes")["nodes"]] == ["quarantined"]
    cloud.cli("node", "uncordon", node)
    assert [one["state"] for one in cloud.json("nodes")["nodes"]] == ["up"]
    assert "name: default" in cloud.cli("heal", "reset").stdout


def test_what_is_wrong_is_said_and_nothing_changes(cloud):
    assert "goes in a circle: a -> b -> a" in apply(cloud, CIRCLE, code=2).stderr
    status, _, problem = cloud.http("POST", "/v1/healing", {
        "version": 1, "name": "x", "playbooks": {"a": {"on": "node_lost", "do": ["move"]}}})
    assert status == 422 and "goes in a circle" in problem["errors"][0]["detail"]
    assert cloud.json("heal", "playbooks")["name"] == "default"
