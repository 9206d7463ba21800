#!/usr/bin/env python3
"""The live server, measured from outside: how soon it answers, how soon a job runs, how many
submissions it makes durable, and what a long line costs. Each figure stands beside a limit that is
measured in the same run. Everything listens on the loopback and is gone at the end.

  bench/live.py [start] [run] [submit] [ps]     default: all; uses build/gyre
"""
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from cloud import Cloud, PATIENCE_S  # noqa: E402
from runs import Runs  # noqa: E402

PROGRAM = os.environ.get("GYRE", str(ROOT / "build" / "gyre"))


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def row(what, figure, beside=""):
    print(f"{what:<58}  {figure:>20}  {beside}", flush=True)


def ms(seconds):
    return f"{1000 * seconds:.1f} ms"


class Folder:
    """A folder on the disk that TMPDIR names, and a server in it."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="gyre-bench-"))
        self.cloud = Cloud(PROGRAM, self.path)
        return self.cloud

    def __exit__(self, *_):
        if self.cloud.process is not None:
            busy = self.cloud.http("GET", "/v1/jobs?state=starting,running&limit=1000")[2]
            for job in busy["jobs"]:
                self.cloud.http("POST", f"/v1/jobs/{job['id']}/actions", {"action": "stop"})
            self.cloud.end()
        shutil.rmtree(self.path, ignore_errors=True)


def sync_times(folder, count=200):
    """Of appending 4 KiB to a file and syncing it: what no durable store can be faster than."""
    times = []
    with open(folder / "sync", "wb", buffering=0) as file:
        for _ in range(count):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return times


def answers_after(cloud):
    """Seconds from the start of `gyre up` to the first answer of the core."""
    began = time.perf_counter()
    cloud.process = subprocess.Popen(
        [PROGRAM, "up", "--listen", "127.0.0.1:0", "--virtual-gpus", "4xH100:80GB"],
        env=cloud.environment, stderr=subprocess.DEVNULL)
    announced = cloud.state / "server.json"
    while not announced.exists():
        assert cloud.process.poll() is None and time.perf_counter() < began + PATIENCE_S
        time.sleep(0.001)
    cloud.port = int(json.loads(announced.read_text())["url"].rsplit(":", 1)[1])
    assert cloud.http("GET", "/v1/jobs")[0] == 200
    passed = time.perf_counter() - began
    cloud.process.kill()
    cloud.process.wait()
    cloud.process = None
    return passed


def bench_start():
    times = []
    for _ in range(10):
        with Folder() as cloud:
            times.append(answers_after(cloud))
    began = time.perf_counter()
    for _ in range(10):
        subprocess.run([PROGRAM, "--version"], stdout=subprocess.DEVNULL, check=True)
    nothing = (time.perf_counter() - began) / 10
    row("gyre up on an empty store: first answer, worst of 10", ms(max(times)),
        f"median {ms(statistics.median(times))}; gyre --version {ms(nothing)}")


def spawn_times(count):
    """Of a shell, from its spawn to its first byte: what no executor can be faster than."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        with subprocess.Popen(["sh", "-c", "echo"], stdout=subprocess.PIPE) as child:
            child.stdout.read(1)
            times.append(time.perf_counter() - began)
    return times


def bench_run(count=200):
    with Folder() as cloud:
        cloud.up()
        running = Runs(cloud.port)
        times = []
        for _ in range(count):
            began = time.perf_counter()
            job = cloud.http("POST", "/v1/jobs", {"command": ["true"]})[2]["id"]
            times.append(running.wait(job) - began)
            cloud.wait(job)
        spawns = spawn_times(count)
        syncs = sync_times(cloud.folder)
        cloud.replay()
    row(f"submit to running, p95 of {count} host processes", ms(percentile(times, 0.95)),
        f"p50 {ms(statistics.median(times))}; spawn of a shell p95 {ms(percentile(spawns, 0.95))}, "
        f"one disk sync p95 {ms(percentile(syncs, 0.95))}")


def wrk(url, seconds, script=None, connections=64):
    """Requests a second, answers other than 2xx and 3xx, and the latency's p99 in ms."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url]
    if script:
        command += ["-s", str(script)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = float(said.split("Requests/sec:")[1].split()[0])
    count = int(said.split(" requests in ")[0].split()[-1])
    p99 = said.split("99%")[1].split()[0]
    wrong = int(said.split("Non-2xx or 3xx responses:")[1].split()[0]) if "Non-2xx" in said else 0
    return rate, count, wrong, p99


def nginx_rate(folder, script):
    """What the same load reaches on nginx with an answer that is ready; None without nginx."""
    program = shutil.which("nginx")
    if program is None:
        return None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(f"""
        worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
        events {{ worker_connections 256; }}
        http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
                fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
                server {{ listen 127.0.0.1:{port}; keepalive_requests 100000000;
                          location / {{ return 201 '{{"id":1}}'; }} }} }}""")
    server = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert time.monotonic() < deadline and server.poll() is None, "nginx did not start"
                time.sleep(0.01)
        return wrk(f"http://127.0.0.1:{port}/v1/jobs", 3, script)[0]
    finally:
        server.terminate()
        server.wait()


BODY = '{"name":"wait","command":["true"],"resources":{"gpu":4}}'
POST = f"""wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{BODY}'
"""


def bench_submit(seconds=10):
    with Folder() as cloud:
        cloud.up()
        cloud.run("--gpu", "4", "--", "sleep", "1000")  # so that the others wait
        script = cloud.folder / "post.lua"
        script.write_text(POST)
        url = f"http://127.0.0.1:{cloud.port}"
        rate, count, wrong, p99 = wrk(url + "/v1/jobs", seconds, script)
        plain = wrk(url + "/healthz", 3)[0]
        known = cloud.http("GET", "/v1/queues")[2]
        syncs = sync_times(cloud.folder)
        beside = nginx_rate(cloud.folder, script)
        cloud.end()
        replayed = json.loads(cloud.cli("replay", cloud.state / "journal.sqlite", "-o",
                                        "json").stdout)
        size = (cloud.state / "journal.sqlite").stat().st_size
        cloud.up()
    assert wrong == 0 and replayed["matches"], (wrong, replayed)
    waiting = sum(queue["jobs_queued"] for queue in known["queues"])
    assert waiting >= count, (waiting, count)
    row("durable submissions a second over REST, 64 connections", f"{rate:.0f}/s",
        f"p99 {p99}; bare syncs {1 / statistics.mean(syncs):.0f}/s; GET /healthz {plain:.0f}/s; "
        + (f"nginx {beside:.0f}/s" if beside else "nginx is not installed"))
    row("  journal, bytes a submission", f"{size / (count + 1):.0f} B",
        f"{replayed['events']} events replayed, all commands equal")


def best_time(work, repeats=15):
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def bench_ps(jobs=10_000):
    with Folder() as cloud:
        cloud.up()
        cloud.run("--gpu", "4", "--", "sleep", "1000")
        for _ in range(99):
            cloud.http("POST", "/v1/jobs", BODY)
        page = best_time(lambda: cloud.http("GET", "/v1/jobs?limit=100"))
        listed = best_time(lambda: cloud.cli("ps"), 5)
        script = cloud.folder / "post.lua"
        script.write_text(POST)
        queued = 99
        while queued < jobs:
            queued += wrk(f"http://127.0.0.1:{cloud.port}/v1/jobs", 1, script)[1]
        long_page = best_time(lambda: cloud.http("GET", "/v1/jobs?limit=100"))
        long_listed = best_time(lambda: cloud.cli("ps"), 5)
        lines = cloud.cli("ps").stdout.count("\n")
    row(f"first page of jobs, {queued} queued", ms(long_page), f"with 99 queued {ms(page)}")
    row(f"gyre ps, {queued} queued ({lines} lines)", ms(long_listed),
        f"with 99 queued {ms(listed)}")


PARTS = {"start": bench_start, "run": bench_run, "submit": bench_submit, "ps": bench_ps}


def main():
    wanted = sys.argv[1:] or list(PARTS)
    if unknown := [part for part in wanted if part not in PARTS]:
        sys.exit(f"{sys.argv[0]}: no part is named '{unknown[0]}'; there are {', '.join(PARTS)}")
    for part in wanted:
        PARTS[part]()


if __name__ == "__main__":
    main()
