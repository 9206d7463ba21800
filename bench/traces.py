#!/usr/bin/env python3
"""Real traces through `gyre simulate`: the time of the simulation alone, events a second, and the
whole process's CPU time, reading the trace included, and memory. The least of several runs counts.
Where the shared data set is not beside the tree, what needs it is said to be left out.

  bench/traces.py [DATA]     DATA: the folder with openb/ and philly/; default ../shared/data
"""
import json
import os
import pathlib
import resource
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("GYRE", str(ROOT / "build" / "gyre"))
RUNS = 7
POLICIES = ["fifo", "easy", "preemptive"]


def simulate(trace, nodes, policy):
    """One policy's figures of a run in a process of its own, and that process's CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    document = json.loads(subprocess.run(
        [PROGRAM, "simulate", str(trace), "--nodes", str(nodes), "--policy", policy, "-o", "json"],
        capture_output=True, text=True, check=True).stdout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {**document["results"][0], "cpu_s": cpu}


def measure(name, trace, nodes, runs=RUNS):
    for policy in POLICIES:
        results = [simulate(trace, nodes, policy) for _ in range(runs)]
        wall = min(result["wall_s"] for result in results)
        cpu = min(result["cpu_s"] for result in results)
        memory = max(result["peak_rss_mib"] for result in results)
        first = results[0]
        print(f"{name:<32} {policy:<11} {first['jobs']:>7} jobs {first['events']:>8} events "
              f"{1000 * wall:>8.1f} ms {first['events'] / wall / 1e6:>5.2f} M events/s; "
              f"process {1000 * cpu:>6.0f} ms CPU, {memory:>6.1f} MiB", flush=True)


def long_trace(jobs):
    """Jobs of mixed sizes, made up, that keep 500 nodes busy; as CSV text."""
    lines = ["id,submit,duration,gpus"]
    for i in range(jobs):
        lines.append(f"{i},{i // 2},{600 + i * 7919 % 3000},{1 << i * 31 % 4}")
    return "\n".join(lines) + "\n"


def main():
    data = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT.parent / "shared" / "data")
    excerpt = ROOT / "data" / "philly-excerpt.csv"
    measure("Philly excerpt, 20x8", excerpt, "20x8:P100")
    if (data / "openb").is_dir():
        measure("openb default, 1,523 nodes", data / "openb/openb_pod_list_default.csv",
                data / "openb/openb_node_list_all_node.csv")
        measure("Philly, its virtual clusters", data / "philly/philly_jobs.csv",
                data / "philly/philly_vc.csv")
        measure("Philly, one pool of 60x8", data / "philly/philly_jobs.csv", "60x8:P100")
    else:
        print(f"openb and Philly are left out: {data} is not there")
    made_up = ROOT / "build" / "long-trace.csv"
    made_up.write_text(long_trace(100_000))
    measure("100,000 made-up jobs, 500x8", made_up, "500x8", 3)
    made_up.unlink()


if __name__ == "__main__":
    main()
