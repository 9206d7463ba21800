#!/usr/bin/env python3
"""Backups of a server whose journal is long, made while clients submit: what they cost the
clients, how long they take, and what follows from them. Everything listens on the loopback and is
gone at the end.

  bench/backup.py [EVENTS]      default: 100000; uses build/gyre, and wrk
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from cloud import Cloud  # noqa: E402

SPEC = {"name": "waits", "command": ["true"], "resources": {"gpu": 4}, "env": {"TEXT": "x" * 60}}


def row(what, figure, beside=""):
    print(f"{what:<62}  {figure:>14}  {beside}", flush=True)


def ms(seconds):
    return f"{1000 * seconds:.1f} ms"


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]



def fill(cloud, events):
    script = cloud.folder / "submit.lua"
    script.write_text('wrk.method = "POST"; wrk.headers["Content-Type"] = "application/json"; '
                      f"wrk.body = '{json.dumps(SPEC)}'")
    while True:
        total = cloud.http("GET", "/v1/jobs?search=waits&sort=id&limit=1")[2]["total"]
        if total >= events:
            return
        subprocess.run(["wrk", "-t1", "-c64", "-d5s", "-s", str(script),
                        f"http://127.0.0.1:{cloud.port}/v1/jobs"], check=True,
                       stdout=subprocess.DEVNULL)


def submissions(cloud, over):
    """How long each of one client's took, until it is over."""
    times = []
    while not over.is_set():
        began = time.perf_counter()
        assert cloud.http("POST", "/v1/jobs", SPEC)[0] == 201
        times.append(time.perf_counter() - began)
    return times


def measured(cloud, work):
    """The times of submissions while `work` goes on."""
    over = threading.Event()
    times = []
    client = threading.Thread(target=lambda: times.extend(submissions(cloud, over)))
    client.start()
    work()
    over.set()
    client.join()
    return times


def timed(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main():
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    folder = pathlib.Path(tempfile.mkdtemp(prefix="gyre-bench-"))
    cloud = Cloud(ROOT / "build" / "gyre", folder)
    try:
        cloud.up()
        holder = cloud.run("--gpu", "4", "--", "sleep", "100000")
        cloud.wait(holder, "running")
        fill(cloud, events)
        backups, took = [], []

        def back_up():
            for _ in range(5):
                backups.append(folder / f"{len(backups)}.gyre")
                took.append(timed(lambda: cloud.cli("backup", "create", backups[-1])))

        quiet = measured(cloud, lambda: time.sleep(10))
        busy = measured(cloud, back_up)
        size = backups[-1].stat().st_size
        copied = timed(lambda: shutil.copyfile(backups[-1], folder / "copy"))
        row(f"backup of {events} events and more, worst of {len(took)}", ms(max(took)),
            f"{size / 2**20:.0f} MiB; copying it alone {ms(copied)}")
        for share in (0.5, 0.99):
            row(f"a submission meanwhile, p{100 * share:.0f} of {len(busy)}",
                ms(percentile(busy, share)),
                f"without a backup {ms(percentile(quiet, share))} of {len(quiet)}")
        row("the longest", ms(max(busy)), f"without {ms(max(quiet))}")
        row("verify", ms(timed(lambda: cloud.cli("backup", "verify", backups[-1]))))
        row("restore", ms(timed(lambda: cloud.cli("backup", "restore", backups[-1], "--to",
                                                  folder / "restored"))))
        row("structure of the file alone (PRAGMA quick_check)",
            ms(timed(lambda: subprocess.run([sys.executable, "-c",
                "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA quick_check')",
                str(backups[-1])], check=True))), "with the start of Python")
        cloud.cli("stop", holder)
    finally:
        cloud.end()
        shutil.rmtree(folder, ignore_errors=True)


main()
