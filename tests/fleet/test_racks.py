"""Gangs on nodes that are near to each other."""


def near(fleet, how, nodes=2, gpus=2, command="exec sleep 1000"):
    return fleet.submit(["sh", "-c", command], nodes=nodes, topology=how, resources={"gpu": gpus})


def reason(fleet, job):
    return fleet.job(job)["reason"]


def test_a_gang_waits_for_room_in_one_rack_or_takes_the_nearest_there_is(fleet):
    for name, rack in [("a", "r1"), ("b", "r2"), ("c", "r2")]:
        fleet.agent(name, "--label", f"rack={rack}", "--label", "colour=red")
    assert fleet.node("b")["location"] == {"rack": "r2"}
    assert "LOCATION" in fleet.cli("nodes").stdout and "rack r2" in fleet.cli("nodes").stdout

    together = near(fleet, {"required": "rack"}, command="true")
    assert fleet.wait(together)["state"] == "succeeded"
    assert fleet.job(together)["topology"] == "required:rack"

    first, second = (near(fleet, {"required": "rack"}, nodes=1) for _ in range(2))  # means nothing
    for job, node in [(first, "a"), (second, "b")]:
        fleet.until(lambda: fleet.job(job)["nodes"] == [node], "it runs")
    fleet.cli("stop", first)
    fleet.wait(first)  # one node is free in each rack
    blocked = near(fleet, {"required": "rack"})
    assert reason(fleet, blocked) == "TopologyBlocked"
    said = fleet.cli("explain", blocked).stdout
    assert "all in one rack" in said
    assert "start now if it were: topology: {preferred: rack} instead of {required: rack}" in said
    fleet.cli("stop", blocked)
    nearest = near(fleet, {"preferred": "rack"})
    fleet.until(lambda: set(fleet.job(nearest)["nodes"]) == {"a", "c"},
                "it starts")
    for job in (nearest, second):
        fleet.cli("stop", job)


def test_what_no_rack_could_hold_is_refused(fleet):
    fleet.agent("a", "--label", "rack=r1")
    fleet.agent("b")
    fleet.agent("c")
    spec = fleet.folder / "job.yaml"
    spec.write_text("command: hostname\nnodes: 2\ntopology: {required: rack}\n", encoding="utf-8")
    refused = fleet.cli("submit", spec, code=3)
    assert "all in one rack" in refused.stderr and "'preferred' instead" in refused.stderr
    spec.write_text("command: hostname\nnodes: 2\ntopology: {near: rack}\n", encoding="utf-8")
    assert "topology.near: there is no such field" in fleet.cli("submit", spec, code=2).stderr


def test_a_label_that_cannot_be_a_domain_is_refused_with_its_name(fleet):
    agent = fleet.new_agent("a").start(fleet.token(), "--label", "rack=r 1")
    fleet.until(lambda: "a label rack that cannot be a name" in agent.said(), "it is told")
    assert fleet.node("a") == {}
