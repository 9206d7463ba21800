"""What the program makes of real traces, to the last digit, and the form in which it says so.

Scripts rely on the keys and their order. The figures change only with a policy or a trace reader; a
change that is meant takes them anew and says why.
"""
import json
import subprocess

import pytest

RESULT_KEYS = ["policy", "jobs", "finished", "rejected", "makespan_s", "wait_s", "jct_s",
               "gpu_allocation_ratio", "fragmentation_ratio", "preemptions", "lost_gpu_hours",
               "events", "wall_s", "peak_rss_mib"]
FIGURES = ["policy", "jobs", "finished", "rejected", "makespan_s", "preemptions", "events"]

EXCERPT = [
    ("fifo", 2400, 2400, 0, 2593800, 0, 7236, 57976.06375, 71609.87416666666),
    ("easy", 2400, 2400, 0, 2439979, 0, 7236, 11573.470833333333, 25207.28125),
    ("preemptive", 2400, 2400, 0, 2548207, 177, 7587, 1438.935, 17725.574166666665),
]
OPENB = [
    ("fifo", 8152, 8152, 0, 12902960, 0, 25981, 0, 25784.80802257115),
    ("easy", 8152, 8152, 0, 12902960, 0, 25981, 0, 25784.80802257115),
    ("preemptive", 8152, 8152, 0, 12902960, 0, 25981, 0, 25784.80802257115),
]
PHILLY = [
    ("fifo", 28032, 28020, 12, 8132195, 0, 84594, 199.0908993576017, 12025.470663811564),
    ("easy", 28032, 28020, 12, 8132195, 0, 84594, 140.20620985010706, 11966.58597430407),
    ("preemptive", 28032, 28020, 12, 8132195, 9, 84612, 128.03793718772306, 11968.752819414703),
]
PHILLY_POOL = [
    ("fifo", 28032, 28032, 0, 8132195, 0, 84306, 4333.186037385844, 16158.737228881278),
    ("easy", 28032, 28032, 0, 8132195, 0, 84306, 1422.3993293378996, 13247.950520833334),
    ("preemptive", 28032, 28032, 0, 8132195, 1152, 86730, 108.35598601598174, 13000.943493150686),
]


@pytest.fixture(scope="module")
def data(root):
    """The folder of the full traces, which the tree does not hold."""
    folder = root.parent / "shared" / "data"
    if not (folder / "openb").is_dir():
        pytest.skip(f"the full traces are not there: no {folder}")
    return folder


def simulate(program, trace, nodes, *more):
    result = subprocess.run([program, "simulate", trace, "--nodes", nodes, "--policy",
                             "fifo,easy,preemptive", "-o", "json", *more],
                            capture_output=True, text=True, check=True, timeout=300)
    return json.loads(result.stdout)


def figures(document):
    return [(*(result[key] for key in FIGURES), result["wait_s"]["mean"], result["jct_s"]["mean"])
            for result in document["results"]]


def test_the_bundled_excerpt(program, root):
    document = simulate(program, root / "data/philly-excerpt.csv", "20x8:P100", "--seed", "7")
    assert figures(document) == EXCERPT
    assert list(document)[:2] == ["trace", "results"]
    assert list(document["trace"])[:2] == ["jobs", "skipped"]
    assert (document["trace"]["jobs"], document["trace"]["skipped"]) == (2400, 0)
    for result in document["results"]:
        assert list(result)[:len(RESULT_KEYS)] == RESULT_KEYS
        assert list(result["wait_s"]) == list(result["jct_s"]) == ["mean", "p50", "p90", "p99"]
        assert list(result["gpu_allocation_ratio"]) == ["mean", "peak"]
        assert list(result["fragmentation_ratio"]) == ["mean"]
        assert 0 < result["wall_s"] and 0 < result["peak_rss_mib"] < 500


def test_openb_on_all_of_its_nodes(program, data):
    document = simulate(program, data / "openb/openb_pod_list_default.csv",
                        data / "openb/openb_node_list_all_node.csv")
    assert figures(document) == OPENB
    assert document["fleet"]["nodes"] == 1523
    assert all(result["peak_rss_mib"] < 500 for result in document["results"])


def test_philly_on_its_virtual_clusters(program, data):
    document = simulate(program, data / "philly/philly_jobs.csv", data / "philly/philly_vc.csv")
    assert figures(document) == PHILLY
    assert all(result["peak_rss_mib"] < 500 for result in document["results"])


def test_philly_on_one_pool_where_jobs_wait(program, data):
    document = simulate(program, data / "philly/philly_jobs.csv", "40x8:P100")
    assert figures(document) == PHILLY_POOL
