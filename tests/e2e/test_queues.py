"""Quotas of queues as a tenant meets them: `gyre up --queues`, `gyre queue`, `/v1/queues`."""
import csv

import pytest

TREE = """version: 1
queues:
  - {name: research, guaranteed: {gpus: 3}, limits: {gpus: 3}}
  - {name: vision, parent: research, weight: 2}
  - {name: product, guaranteed: {gpus: 1}}
"""


@pytest.fixture
def divided(offline, tmp_path):
    """Four GPUs, three of them for the queue `vision` at most."""
    (tmp_path / "queues.yaml").write_text(TREE)
    one = offline.up("--virtual-gpus", "4xH100:80GB", "--queues", str(tmp_path / "queues.yaml"))
    yield one
    one.stop_all()
    one.end()
    one.replay()


def test_a_queue_gets_what_it_may_have_and_no_more(divided):
    running = [divided.run("--queue", "vision", "--gpu", "1", "--", "sleep", "1000")
               for _ in range(3)]
    for job in running:
        divided.wait(job, "running")
    waiting = divided.run("--queue", "vision", "--gpu", "1", "--", "sleep", "1000")
    never = divided.run("--queue", "vision", "--gpu", "4", "--", "true")
    assert divided.json("explain", waiting)["waiting"]["reason"] == "WaitingForQuota"
    assert divided.json("explain", never)["waiting"]["reason"] == "ExceedsMaxQuota"
    queues = {queue["name"]: queue for queue in divided.json("queue")["queues"]}
    first = queues["vision"]["first_waiting"]
    assert first["job"] == int(waiting) and first["why"]["reason"] == "WaitingForQuota"
    assert queues["research"]["first_waiting"] is queues["product"]["first_waiting"] is None
    assert {queue["gpu_milli_up"] for queue in queues.values()} == {4000}
    urgent = divided.run("--queue", "vision", "--gpu", "1", "--priority", "9", "--", "true")
    queues = {queue["name"]: queue for queue in divided.json("queue")["queues"]}
    assert queues["vision"]["first_waiting"]["job"] == int(urgent)
    divided.cli("stop", urgent)
    divided.wait(divided.run("--queue", "product", "--gpu", "1", "--", "true"), "succeeded")
    divided.cli("stop", running[0])
    divided.wait(waiting, "running")


def test_queues_are_listed_as_a_tree_with_what_they_use(divided):
    divided.wait(divided.run("--queue", "vision", "--gpu", "2", "--", "sleep", "1000"), "running")
    queues = {queue["name"]: queue for queue in divided.json("queue")["queues"]}
    assert list(queues)[:3] == ["research", "vision", "product"]
    assert queues["research"]["gpu_milli_used"] == queues["vision"]["gpu_milli_used"] == 2000
    assert queues["research"]["share"] == 0.5
    assert queues["vision"]["share"] == 0.25
    assert queues["product"]["share"] == 0
    lines = divided.cli("queue").stdout.splitlines()
    assert lines[1].split()[:5] == ["research", "0", "1", "2", "of"]
    assert lines[2].startswith("  vision")
    assert "50.0 %" in lines[1] and "25.0 %" in lines[2]
    assert all(queue["governed"] for queue in queues.values())


def test_without_quotas_a_share_is_what_is_held_and_hours_are_not_counted(cloud):
    cloud.wait(cloud.run("--gpu", "2", "--", "sleep", "1000"), "running")
    [queue] = cloud.json("queue")["queues"]
    assert queue["share"] == queue["gpu_milli_used"] / queue["gpu_milli_up"] > 0
    assert queue["governed"] is False
    row = cloud.cli("queue").stdout.splitlines()[1].split()
    assert f"{100 * queue['share']:.1f}" in row and row[-1] == "-"


def test_who_is_left_nothing_by_guarantees_is_told_so_on_an_empty_fleet(offline, tmp_path):
    (tmp_path / "queues.yaml").write_text(
        "version: 1\nqueues: [{name: team, guaranteed: {gpus: 4}}, {name: other}]\n")
    one = offline.up("--virtual-gpus", "4xH100:80GB", "--queues", str(tmp_path / "queues.yaml"))
    try:
        firm = one.run("--queue", "other", "--gpu", "1", "--", "true")
        waiting = one.json("explain", firm)["waiting"]
        assert waiting["reason"] == "ExceedsMaxQuota"
        assert "only preemptible jobs can run here" in waiting["detail"]
        assert "'team' (4 GPUs)" in waiting["detail"]
        assert "estimate" not in one.cli("explain", firm).stdout
    finally:
        one.stop_all()
        one.end()


def test_more_guaranteed_than_there_is_is_said_and_shown(offline, tmp_path):
    (tmp_path / "over.yaml").write_text("version: 1\nqueues:\n" + "".join(
        f"  - {{name: {name}, guaranteed: {{gpus: 5}}}}\n" for name in "abc"))
    one = offline.up("--virtual-gpus", "8xH100:80GB", "--queues", str(tmp_path / "over.yaml"))
    try:
        one.hears("15 GPUs are guaranteed to queues, but the fleet has 8 GPUs")
        [partition] = one.json("queue")["partitions"]
        assert partition == {"name": "", "gpu_milli_guaranteed": 15000, "gpu_milli_up": 8000}
        shown = one.cli("queue")
        assert "15 GPUs are guaranteed to queues, and 8 are up" in shown.stderr
        assert "warning" not in shown.stdout
        text = one.http("GET", "/metrics")[2].decode()
        assert 'gyre_gpus_guaranteed_lacking{partition=""} 7\n' in text
    finally:
        one.end()


@pytest.mark.parametrize("settings, starts", [
    (", weight: 1", {"a": 2, "b": 2}),
    ("", {"a": 0, "b": 4}),
], ids=["equal weights", "none"])
def test_weights_that_are_stated_share_the_fleet_even_if_all_are_equal(
        offline, tmp_path, settings, starts):
    """Six jobs of b came before six of a; four of them find room at once."""
    (tmp_path / "queues.yaml").write_text("version: 1\nqueues:\n" + "".join(
        f"  - {{name: {name}{settings}}}\n" for name in "ab"))
    rows = [f"{queue}{i},{int(queue == 'a')},100,1,{queue}" for queue in "ba" for i in range(6)]
    (tmp_path / "jobs.csv").write_text(
        "\n".join(["id,submit,duration,gpus,queue", "first,0,10,4,b", *rows]) + "\n")
    offline.cli("simulate", tmp_path / "jobs.csv", "--nodes", "1x4", "--policy", "fifo",
                "--queues", tmp_path / "queues.yaml", "--check", "--out", tmp_path / "out")
    with open(tmp_path / "out/jobs-fifo.csv", encoding="utf-8") as file:
        early = [row["queue"] for row in csv.DictReader(file)
                 if row["id"] != "first" and float(row["started_s"]) < 50]
    assert {queue: early.count(queue) for queue in "ab"} == starts


@pytest.mark.parametrize("tree, said", [
    ("version: 1\nqueues: [{name: a, parent: b}, {name: b, parent: a}]", "a -> b -> a"),
    ("version: 1\nqueues: [{name: a, weight: 0}]", "weight"),
    ("version: 1\nqueues: [{name: a, wieght: 1}]", "'weight'"),
    ("version: 1\nqueues: [{name: a, guaranteed: {gpus: 4}, limits: {gpus: 2}}]", "2 GPUs at most"),
], ids=["circle", "zero weight", "unknown setting", "guarantee above the limit"])
def test_a_wrong_queue_file_is_one_error_and_nothing_starts(offline, tmp_path, tree, said):
    (tmp_path / "queues.yaml").write_text(tree)
    result = offline.cli("up", "--listen", "0", "--virtual-gpus", "1xH100", "--queues",
                         tmp_path / "queues.yaml", code=2)
    assert said in result.stderr and "queues.yaml" in result.stderr
    assert not offline.state.exists()
