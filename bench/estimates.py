#!/usr/bin/env python3
"""Philly's jobs as a CSV whose submitters declare wrong run times: off by a factor that is drawn
for each job, log-uniform from a half to four.

    bench/estimates.py PHILLY_JOBS.csv FROM TO SEED > trace.csv     # dates, as in 2017-11-01
"""
import csv
import math
import random
import sys

path, begin, end, seed = sys.argv[1:]
draws = random.Random(int(seed))
with open(path, encoding="utf-8") as file:
    rows = [row for row in csv.DictReader(file) if begin <= (row["timestamp"] or "") < end]
rows.sort(key=lambda row: row["timestamp"])
out = csv.writer(sys.stdout, lineterminator="\n")
out.writerow(["id", "submit", "duration", "gpus", "vc", "priority", "preemptible",
              "expected_duration"])
for i, row in enumerate(rows):
    gpus = int(row["num_gpus"])
    factor = math.exp(draws.uniform(math.log(0.5), math.log(4)))
    declared = max(1.0, float(row["duration"]) * factor)
    priority = 6 if gpus == 1 else 5 if gpus <= 8 else 4
    out.writerow([f"j{i}", row["timestamp"], row["duration"], gpus, row["cluster"], priority,
                  "yes" if gpus > 1 else "no", f"{declared:.0f}s"])
