#!/usr/bin/env python3
"""A journal in PostgreSQL beside SQLite's, and how long a standby takes to lead. Default: all.

    bench/standby.py append            records a second into both, on this disk, in one run
    bench/standby.py submit            durable submissions a second over REST into both, by turns
    bench/standby.py take-over [RUNS] [JOBS]
                                       from the leader's death until another is ready; 20 runs each
                                       of kill -9, SIGSTOP and a cut wire, with so many jobs in line

It starts a PostgreSQL of its own in a temporary folder, with its settings as they come.
"""
import contextlib
import http.client
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/standby")]
import live  # noqa: E402
from cloud import until  # noqa: E402
from fleets import Fleet  # noqa: E402
from pairs import Pair  # noqa: E402
from postgres import Postgres  # noqa: E402


def append():
    postgres = Postgres("fsync=on")
    try:
        url = postgres.url(postgres.new_database())
        subprocess.run([ROOT / "build-bench/bench_journal",
                        "--benchmark_filter=^(Journal|Postgres)/[01]/(1|1000)/",
                        "--benchmark_repetitions=7", "--benchmark_min_time=0.3",
                        "--benchmark_enable_random_interleaving=true",
                        "--benchmark_report_aggregates_only=true"],
                       env={**os.environ, "GYRE_BENCH_POSTGRES": url}, check=True)
    finally:
        postgres.close()


def measure_submissions(name, server):
    """10 s of clients that submit what has to wait."""
    server.agent("n")
    server.wait(server.submit(["sleep", "1000"], resources={"gpu": 2}), "running")
    script = server.folder / "post.lua"
    script.write_text(live.POST.replace('"gpu":4', '"gpu":2'))
    url = f"http://127.0.0.1:{server.port}/v1/jobs"
    rate, _, wrong, p99 = live.wrk(url, 10, script)
    one, _, _, one_p99 = live.wrk(url, 5, script, connections=1)
    assert wrong == 0, wrong
    print(f"{name}: 64 connections {rate:.0f}/s, p99 {p99}; one {one:.0f}/s, p99 {one_p99}",
          flush=True)


def submit():
    postgres = Postgres("fsync=on")
    try:
        for _ in range(3):
            with tempfile.TemporaryDirectory() as folder:
                alone = Fleet(ROOT / "build/gyre", pathlib.Path(folder), "5m").serve()
                measure_submissions("SQLite", alone)
                alone.close()
            with tempfile.TemporaryDirectory() as folder:
                pair = Pair(ROOT / "build/gyre", pathlib.Path(folder), postgres, "5m").start()
                measure_submissions("PostgreSQL", pair.a)
                pair.close()
    finally:
        postgres.close()


def kill(pair):
    pair.a.end(signal.SIGKILL)


def stop(pair):
    pair.a.process.send_signal(signal.SIGSTOP)


def cut(pair):
    pair.wire.cut()


def wait_in_line(server, jobs):
    server.agent("n")
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    wish = json.dumps({"command": ["sleep", "1000"], "resources": {"gpu": 2}})
    for _ in range(jobs):
        connection.request("POST", "/v1/jobs", wish, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status == 201, said


def take_over(runs=20, jobs=10_000):
    postgres = Postgres("fsync=on")
    try:
        for how in (kill, stop, cut):
            took = []
            for _ in range(runs):
                with tempfile.TemporaryDirectory() as folder, contextlib.closing(
                        Pair(ROOT / "build/gyre", pathlib.Path(folder), postgres)) as pair:
                    pair.start()
                    wait_in_line(pair.a, jobs)
                    began = time.monotonic()
                    how(pair)
                    until(pair.b.leads, pair.b.heard)
                    took.append(time.monotonic() - began)
            took.sort()
            p95 = took[max(0, round(0.95 * len(took)) - 1)]
            print(f"{how.__name__}: {runs} runs, median {statistics.median(took):.2f} s, "
                  f"p95 {p95:.2f} s, longest {took[-1]:.2f} s", flush=True)
    finally:
        postgres.close()


PARTS = {"append": append, "submit": submit, "take-over": take_over}


def main():
    if not sys.argv[1:]:
        for part in PARTS.values():
            part()
    elif sys.argv[1] not in PARTS:
        sys.exit(__doc__)
    else:
        PARTS[sys.argv[1]](*map(int, sys.argv[2:]))


if __name__ == "__main__":
    main()
