#!/usr/bin/env python3
"""Requests a second and their times through the proxy of services, beside nginx in the same run.

    bench/proxy.py [--gyre build/gyre] [--seconds 5] [--connections 32]

One nginx with one worker is the replica: it answers a fixed text at once, so that what is measured
is what stands before it. Another nginx, with as many workers as the proxy has threads (one) and its
upstream connections kept, is what Gyre's proxy is held against. Both are asked by wrk over the same
connections, in turn, three times each; the best of three counts. Needs nginx and wrk (Debian:
nginx-light, wrk).
"""
import argparse
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent

COMMON = """
pid {folder}/{name}.pid; error_log {folder}/{name}.log; daemon off; worker_processes 1;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000;
  client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-f; uwsgi_temp_path {folder}/{name}-u;
  scgi_temp_path {folder}/{name}-s;
  {inside}
}}
"""
REPLICA = 'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{text}"; }} }}'
PROXY = """
  upstream replica {{ server 127.0.0.1:{replica}; keepalive 256; }}
  server {{ listen 127.0.0.1:{port};
    location /services/web/ {{
      proxy_pass http://replica/; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr; proxy_buffering off; }} }}
"""


def config(folder, name, inside):
    path = folder / f"{name}.conf"
    path.write_text(COMMON.format(folder=folder, name=name, inside=inside), encoding="utf-8")
    return path


def measure(url, seconds, connections):
    """Requests a second, and the 50th and 99th percentile in milliseconds."""
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url],
                         capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"{url} failed requests:\n{out}")
    unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    quantiles = {}
    for share, number, name in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s)", out):
        quantiles[share] = float(number) * unit[name]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    return rate, quantiles["50"], quantiles["99"]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start_cloud(gyre, folder):
    process = subprocess.Popen([gyre, "up", "--listen", "0", "--state", folder / "state",
                                "--virtual-gpus", "1xH100:80GB"], stderr=subprocess.PIPE, text=True)
    said = ""
    while "Ctrl-C" not in said:
        line = process.stderr.readline()
        if not line:
            sys.exit(f"gyre up did not start: {said}")
        said += line
    return process, re.search(r"services at (http://[^/]+)/", said)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--gyre", default=ROOT / "build" / "gyre", type=pathlib.Path)
    parser.add_argument("--seconds", default=5, type=int)
    parser.add_argument("--connections", default=32, type=int)
    options = parser.parse_args()
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if nginx is None or shutil.which("wrk") is None:
        sys.exit("bench/proxy.py needs nginx and wrk: apt-get install nginx-light wrk")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="gyre-proxy-"))
    gyre = str(options.gyre.resolve())
    cloud, base = start_cloud(gyre, folder)
    others = []
    try:
        text = "x" * 128
        replica = config(folder, "replica", REPLICA.format(port="PORT", text=text))
        command = f"sed s/:PORT/:$PORT/ {replica} > own.conf && exec {nginx} -c $PWD/own.conf"
        spec = folder / "web.json"
        spec.write_text(json.dumps({"kind": "service", "name": "web", "command": command}),
                        encoding="utf-8")
        subprocess.run([gyre, "service", "apply", "--wait", "--state", folder / "state", spec],
                       check=True, stdout=subprocess.DEVNULL)
        direct, beside = free_port(), free_port()
        for name, inside in (("direct", REPLICA.format(port=direct, text=text)),
                             ("proxy", PROXY.format(port=beside, replica=direct))):
            others.append(subprocess.Popen([nginx, "-c", config(folder, name, inside)]))
        time.sleep(0.5)
        targets = {"replica alone": f"http://127.0.0.1:{direct}/",
                   "nginx": f"http://127.0.0.1:{beside}/services/web/",
                   "gyre": f"{base}/services/web/"}
        best = {}
        for _ in range(3):
            for name, url in targets.items():
                seen = measure(url, options.seconds, options.connections)
                best[name] = max(best.get(name, seen), seen)
        print(f"{'':14} {'requests/s':>11} {'p50 ms':>8} {'p99 ms':>8}")
        for name, (rate, p50, p99) in best.items():
            print(f"{name:14} {rate:11.0f} {p50:8.2f} {p99:8.2f}")
        print(f"gyre / nginx: {best['gyre'][0] / best['nginx'][0]:.2f} of the requests, "
              f"{best['gyre'][2] / best['nginx'][2]:.2f} x p99")
        subprocess.run([gyre, "service", "delete", "--state", folder / "state", "web"], check=True)
        while json.loads(subprocess.run(
                [gyre, "services", "--state", folder / "state", "-o", "json"], check=True,
                capture_output=True).stdout)["services"]:
            time.sleep(0.1)
    finally:
        for process in [cloud, *others]:
            process.send_signal(signal.SIGTERM)
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
