"""`gyre simulate --experiment fgd`: how full placements make a fleet."""
import json

import pytest

NODES = "6x8:V100"


@pytest.fixture(scope="module")
def openb(root):
    """The folder of the full trace, which the tree does not hold."""
    folder = root.parent / "shared" / "data" / "openb"
    if not folder.is_dir():
        pytest.skip(f"the full traces are not there: no {folder}")
    return folder


@pytest.fixture
def trace(tmp_path):
    kinds = ["4000,1024,1,1000", "2000,1024,1,470", "16000,1024,8,1000", "8000,1024,0,0"]
    rows = [f"pod-{i},{kinds[i % 4]}" for i in range(40)]
    path = tmp_path / "pods.csv"
    path.write_text("\n".join(["name,cpu_milli,memory_mib,num_gpu,gpu_milli", *rows, ""]))
    return path


def test_every_placement_is_measured_and_json_is_alone_on_stdout(offline, trace):
    done = offline.cli("simulate", "--experiment", "fgd", trace, "--nodes", NODES, "-o", "json")
    report = json.loads(done.stdout)
    assert done.stderr == ""
    assert (report["gpus"], report["first_seed"], report["seeds"]) == (48, 42, 10)
    placements = [result["placement"] for result in report["results"]]
    assert {"random", "fgd", "lookahead"} <= set(placements) and len(placements) == 8
    for result in report["results"]:
        assert result["published"] is None
        last = result["points"][-1]
        assert last["load"] > 1.2 and 0.5 < last["gpu_allocation_ratio"] <= 1


def test_placements_can_be_chosen_and_traces_are_rows(offline, trace, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text(trace.read_text())
    done = offline.cli("simulate", "--experiment", "fgd", trace, other, "--nodes", NODES,
                       "--policy", "best-fit,lookahead")
    head = next(line for line in done.stdout.splitlines() if line.startswith("trace"))
    assert head.split() == ["trace", "best-fit", "lookahead"]
    assert "\nother.csv" in done.stdout and "\nmean" in done.stdout


@pytest.mark.parametrize("arguments, says", [
    (["--experiment", "fgd", "--policy", "easy"], "no placement is named 'easy'"),
    (["--experiment", "fgd", "--policy", "fgd,fgd"], "'fgd' is given twice"),
    (["--experiment", "fgd", "--mtbf", "1h"], "excludes"),
    (["--experiment", "other"], "fgd"),
    (["--policy", "easy+lookahed"], "did you mean 'lookahead'"),
])
def test_what_is_wrong_is_said(offline, trace, arguments, says):
    done = offline.cli("simulate", trace, "--nodes", NODES, *arguments, code=2)
    assert says in done.stderr and done.stdout == ""


def test_a_placement_goes_with_any_order(offline, trace):
    done = offline.cli("simulate", trace, "--nodes", NODES, "--check", "-o", "json",
                       "--policy", "fifo+lookahead,easy+fgd,preemptive+random")
    assert [result["policy"] for result in json.loads(done.stdout)["results"]] == [
        "fifo+lookahead", "easy+fgd", "preemptive+random"]


def test_openb_gives_the_published_means_and_lookahead_beats_fgd(offline, openb):
    done = offline.cli("simulate", "--experiment", "fgd", openb / "openb_pod_list_default.csv",
                       "--nodes", openb / "openb_node_list_gpu_node.csv", "-o", "json", "--policy",
                       "dot-product,gpu-clustering,gpu-packing,weighted-best-fit,fgd,lookahead")
    results = {result["placement"]: result for result in json.loads(done.stdout)["results"]}
    at = {name: {point["load"]: point["gpu_allocation_ratio"] for point in result["points"]}
          for name, result in results.items()}
    for name, result in results.items():
        if name == "lookahead":
            continue
        published = result["published"]
        assert abs(at[name][1] - published["gpu_allocation_ratio_at_100"]) < 0.003, name
        assert abs(at[name][1.3] - published["gpu_allocation_ratio_at_130"]) < 0.003, name
    assert at["lookahead"][1] - at["fgd"][1] > 0.005
    assert at["lookahead"][1.3] - at["fgd"][1.3] > 0.005
