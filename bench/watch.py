#!/usr/bin/env python3
"""What it costs a server to be watched: 1,000 open streams of events. Everything listens on the
loopback and is gone at the end.

  bench/watch.py [STREAMS]     default: 1000; uses build/gyre
"""
import os
import pathlib
import shutil
import socket
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from cloud import Cloud, PATIENCE_S  # noqa: E402

JOBS = 200


def row(what, figure, beside=""):
    print(f"{what:<58}  {figure:>20}  {beside}", flush=True)


def resident_mib(pid, name="VmRSS"):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith(name)).split()[1]) / 1024


def open_stream(port):
    stream = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    stream.sendall(b"GET /v1/events?follow=true HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert b" 200 " in stream.recv(4096)
    return stream


def read_until(stream, count):
    """Reads until so many events have come."""
    seen = 0
    rest = b""
    while seen < count:
        data = stream.recv(65536)
        assert data, "the stream has ended"
        rest += data
        seen += rest.count(b"event: job")
        rest = rest[rest.rfind(b"\n") + 1:]


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    folder = pathlib.Path(tempfile.mkdtemp(prefix="gyre-bench-"))
    cloud = Cloud(os.environ.get("GYRE", str(ROOT / "build" / "gyre")), folder)
    try:
        cloud.up("--virtual-gpus", "8xH100:80GB", "--fsync", "off")
        pid = cloud.process.pid
        alone = resident_mib(pid)
        streams = [open_stream(cloud.port) for _ in range(count)]
        row(f"{count} open streams: memory of the server", f"{resident_mib(pid):.0f} MiB",
            f"{alone:.0f} MiB with none")
        began = time.perf_counter()
        hold = cloud.http("POST", "/v1/jobs", {"command": "sleep 1000", "resources": {"gpu": 8}})
        for _ in range(JOBS):
            cloud.http("POST", "/v1/jobs", {"command": "true", "resources": {"gpu": 8}})
        for stream in streams:
            read_until(stream, JOBS)
        took = time.perf_counter() - began
        row(f"the same, each having been told of {JOBS} jobs",
            f"{resident_mib(pid):.0f} MiB", f"{count * JOBS / took:.0f} events/s to all, "
            f"most {resident_mib(pid, 'VmHWM'):.0f} MiB")
        for stream in streams:
            stream.close()
        cloud.http("POST", f"/v1/jobs/{hold[2]['id']}/actions", {"action": "stop"})
        for job in cloud.http("GET", "/v1/jobs?state=queued&limit=1000")[2]["jobs"]:
            cloud.http("POST", f"/v1/jobs/{job['id']}/actions", {"action": "stop"})
    finally:
        cloud.end()
        shutil.rmtree(folder, ignore_errors=True)


main()
