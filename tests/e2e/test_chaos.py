"""`gyre chaos`: scenarios in a simulated world."""
import json

import pytest

SMALL = """
version: 1
name: small
lasts: 2h
fleet: {nodes: 2..6, gpus: 8, lease: 30s..2m}
jobs: {count: 20..40, nodes: 1..2, length: 1m..30m}
network: {delay: 1ms..20ms, late: 2%, late_by: 1s..30s, twice: 5%}
faults:
  - {do: kill-node, every: 30m, for: 10s..10m}
  - {do: cut-node, every: 20m, for: 1s..10m}
  - {do: kill-server, every: 30m, for: 0s..1m}
"""


@pytest.fixture
def scenario(tmp_path):
    def write(text):
        path = tmp_path / "scenario.yaml"
        path.write_text(text)
        return path
    return write


def test_a_seed_is_lived_through_again_exactly(offline, scenario):
    path = scenario(SMALL)
    once = json.loads(offline.cli("chaos", path, "--seed", 7, "-o", "json").stdout)
    again = json.loads(offline.cli("chaos", path, "--seed", 7, "-o", "json").stdout)
    assert once == again
    assert once["violations"] == [] and once["faults"]["kill-node"] > 0
    jobs = once["jobs"]
    assert jobs["submitted"] == jobs["succeeded"] + jobs["failed"] + jobs["cancelled"]
    other = json.loads(offline.cli("chaos", path, "--seed", 8, "-o", "json").stdout)
    assert other["digest"] != once["digest"]


def test_what_a_seed_comes_to_is_told_beforehand(offline, scenario):
    path = scenario(SMALL)
    plan = json.loads(offline.cli("chaos", path, "--seed", 7, "--plan").stdout)
    lived = json.loads(offline.cli("chaos", path, "--seed", 7, "-o", "json").stdout)
    assert plan["nodes"] == lived["nodes"] and len(plan["jobs"]) == lived["jobs"]["submitted"]
    planned = [fault["do"] for fault in plan["faults"]]
    assert planned.count("kill-node") == lived["faults"]["kill-node"]
    assert [fault["at_s"] for fault in plan["faults"]] == sorted(
        fault["at_s"] for fault in plan["faults"])


def test_many_seeds_are_summed_up(offline, scenario):
    done = offline.cli("chaos", scenario(SMALL), "--seeds", 20, "-o", "json")
    report = json.loads(done.stdout)
    assert done.stderr == ""
    assert (report["first_seed"], report["seeds"], report["failed"]) == (1, 20, 0)
    assert report["recoveries"] > 20


def test_the_scenarios_that_are_shipped_hold(offline, root):
    for path in sorted((root / "data" / "chaos").glob("*.yaml")):
        offline.cli("chaos", path, "--seeds", 4)


def test_two_thousand_lives_of_all_shapes_hold(offline, root):
    path = root / "data" / "chaos" / "swarm.yaml"
    report = json.loads(offline.cli("chaos", path, "--seeds", 2000, "-o", "json").stdout)
    assert (report["seeds"], report["failed"]) == (2000, 0), report["failures"]
    assert report["recoveries"] > 5000 and report["faults"] > 100_000


def test_no_two_lives_of_the_swarm_have_one_shape(offline, root):
    path = root / "data" / "chaos" / "swarm.yaml"
    plans = [json.loads(offline.cli("chaos", path, "--seed", seed, "--plan").stdout)
             for seed in range(1, 21)]
    shapes = {(plan["nodes"], plan["gpus"], len(plan["jobs"]), plan["network"]["late_percent"],
               tuple(sorted({fault["do"] for fault in plan["faults"]}))) for plan in plans}
    assert len(shapes) == 20


@pytest.mark.parametrize("plant", ["lease-ignored", "start-repeated", "missing-unnoticed",
                                   "orphan-kept", "device-zero", "journal-tail-ignored",
                                   "ready-unasked"])
def test_the_swarm_finds_what_is_planted_and_says_how_to_see_it_again(offline, root, scenario,
                                                                      plant):
    text = (root / "data" / "chaos" / "swarm.yaml").read_text()
    path = scenario(f"{text}plant: {plant}\n")
    done = offline.cli("chaos", path, "--seeds", 2000, "-o", "json", code=1)
    failures = json.loads(done.stdout)["failures"]
    again = failures[0]["replay"]
    assert f"again: {again}\n" in done.stderr
    replayed = json.loads(offline.cli(*again.split()[1:], "-o", "json", code=1).stdout)
    assert replayed == failures[0]


def test_a_failing_seed_comes_with_the_command_that_shows_it_again(offline, scenario):
    path = scenario(SMALL + "plant: lease-ignored\n")
    done = offline.cli("chaos", path, "--seeds", 50, "-o", "json", code=1)
    failure = json.loads(done.stdout)["failures"][0]
    assert failure["violations"][0]["invariant"] == "task-once"
    assert failure["replay"] == f"gyre chaos {path} --seed {failure['seed']}"
    assert failure["replay"] in done.stderr
    replayed = offline.cli(*failure["replay"].split()[1:], "-o", "json", code=1)
    assert json.loads(replayed.stdout) == failure


@pytest.mark.parametrize("text, told", [
    ("", "the scenario is empty"),
    ("version: 1\nname: x\nfleets: 3\n", "line 3, column 1: no such setting 'fleets'"),
    ("version: 1\nname: x\nfaults: [{do: kill-node}]\n", "faults[0]: give either 'at' or 'every'"),
    ("version: 1\nname: x\npolicy: quick\n", "policy:"),
])
def test_a_wrong_scenario_is_a_usage_error(offline, scenario, text, told):
    path = scenario(text)
    done = offline.cli("chaos", path, code=2)
    assert str(path) in done.stderr and told in done.stderr
    assert done.stdout == ""
