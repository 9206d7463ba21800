#!/usr/bin/env python3
"""The dashboard in Debian's Chromium, on real servers on the loopback: first paint; the map and
the table of 10,000 nodes and the table of 100,000 jobs, used while they change; 80,000 events at
one time. Wants Node.js 20.19 and `npm ci` in web/.

  bench/dashboard.py [paint] [nodes] [jobs] [burst]     default: all

GYRE_WATCH_MS: how long each is used.
"""
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def row(what, figure, beside=""):
    print(f"{what:<58}  {figure:>20}  {beside}", flush=True)


def tasks(what, part):
    row(f"{what}: longest task of the page, CPU", f"{part['cpu_max_ms']} ms",
        f"{part['clock_max_ms']} ms on the clock")
    row(f"{what}: tasks over 50 ms of CPU", str(part["cpu_over_50"]),
        f"{part['clock_over_50']} on the clock, of {part['tasks']}")


def main():
    if not (ROOT / "web/node_modules").exists():
        print("skipped: 'npm ci' in web/ has not been run", file=sys.stderr)
        return
    ran = subprocess.run(["node", str(ROOT / "tests/web/measure.mjs"), *sys.argv[1:]],
                         stdout=subprocess.PIPE, text=True, check=True)
    report = json.loads(ran.stdout)
    if "paint" in report:
        paints = report["paint"]["first_contentful_paint_ms"]
        row("first contentful paint, cold, least and most of 5",
            f"{min(paints):.0f} to {max(paints):.0f} ms")
        row("JavaScript of the first page, compressed",
            f"{report['paint']['javascript_bytes_compressed'] / 1000:.0f} kB")
    if "nodes" in report:
        tasks(f"{report['nodes']['nodes']} nodes", report["nodes"])
    if "jobs" in report:
        jobs = report["jobs"]
        tasks(f"{jobs['jobs']} jobs, {jobs['events_a_second']} events a second", jobs)
    if "burst" in report:
        tasks(f"{report['burst']['events']} events at one time", report["burst"])


main()
