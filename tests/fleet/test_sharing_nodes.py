"""Jobs and replicas that say with whom they share nodes."""


def ruled(fleet, placement, **spec):
    return fleet.submit(["sleep", "1000"], placement=placement, **spec)


def runs_on(fleet, number):
    fleet.until(lambda: fleet.job(number)["nodes"], "it runs")
    return fleet.job(number)["nodes"]


def test_replicas_are_on_different_nodes_and_others_keep_away_or_come_near(fleet):
    for name in "ab":
        fleet.agent(name)
    service = fleet.folder / "web.yaml"
    service.write_text("kind: service\nname: web\ncommand: sleep 1000\nreplicas: 2\n"
                       "resources: {gpu: 1}\n", encoding="utf-8")
    fleet.cli("service", "apply", service)
    fleet.until(lambda: fleet.job(2).get("nodes"), "both replicas run")
    assert runs_on(fleet, 1) + runs_on(fleet, 2) == ["a", "b"]
    assert fleet.job(1)["placement_rules"] == "spread: node"

    away = ruled(fleet, {"apart": "web"}, name="batch")
    assert fleet.job(away)["reason"] == "AffinityBlocked"
    said = fleet.cli("explain", away).stdout
    assert "of the nodes 2 run 'web', which it is to be apart from" in said
    assert "start now if it were: on nodes that run 'web' too" in said
    assert runs_on(fleet, ruled(fleet, {"near": "web"}, name="side")) == ["a"]
    fleet.agent("c")
    assert runs_on(fleet, away) == ["c"]


def test_no_more_start_on_a_node_than_is_allowed(fleet):
    fleet.agent("a")
    one, two = (ruled(fleet, {"max_per_node": 1}, resources={"cpu": 0.1}) for _ in range(2))
    assert runs_on(fleet, one) == ["a"]
    assert fleet.job(two)["reason"] == "AffinityBlocked"
    assert "max_per_node: 2 instead of 1" in fleet.cli("explain", two).stdout
    fleet.cli("stop", one)
    assert runs_on(fleet, two) == ["a"]


def test_rules_that_cannot_be_meant_are_refused(fleet):
    fleet.agent("a")
    spec = fleet.folder / "job.yaml"
    for placement, wrong in [("{apart: wbe}", "apart names the group 'wbe'"),
                             ("{apart: x}", "cannot be apart from its own group 'x'"),
                             ("{max_per_node: 0}", "expected a whole number from 1"),
                             ("{spread: node, pack: rack}", "one of spread and pack")]:
        spec.write_text(f"name: x\ncommand: hostname\nplacement: {placement}\n", encoding="utf-8")
        assert wrong in fleet.cli("submit", spec, code=2).stderr
        assert wrong in fleet.cli("plan", spec, code=2).stderr
