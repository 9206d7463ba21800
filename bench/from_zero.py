#!/usr/bin/env python3
"""How long the first byte takes of a service that rests at zero replicas, and whether any request
is dropped: clients ask all at once, again and again, each time once the last replica has gone.

    bench/from_zero.py [--gyre build/gyre] [--rounds 30] [--clients 8]

The replica is busybox's httpd, which listens within milliseconds: as a process of the node, in a
container made when it is needed, and in one that was kept warm. Containers need root, crun or runc,
and Debian's busybox-static.
"""
import argparse
import concurrent.futures
import http.client
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "containers")]
import images  # noqa: E402
from serving import Services, end  # noqa: E402

SERVE = ("mkdir -p www && echo it is here > www/who && "
         "exec busybox httpd -f -p $GYRE_HOST:$PORT -h www")
REST = {"min": 0, "max": 1, "target_in_flight": 1000, "scale_down_after": "100ms", "idle": "300ms"}


def ask(port):
    """Milliseconds until the first byte; None: it was dropped."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.perf_counter()
    try:
        connection.request("GET", "/services/web/who")
        response = connection.getresponse()
        took = (time.perf_counter() - began) * 1000
        return took if response.status == 200 and response.read() == b"it is here\n" else None
    except OSError:
        return None
    finally:
        connection.close()


def measure(gyre, warm, image, options):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="gyre-from-zero-"))
    cloud = Services(gyre, folder)
    cloud.up("--virtual-gpus", "1xH100:80GB", "--warm", str(warm))
    in_image = {"image": image} if image else {}
    cloud.apply(command=["sh", "-c", f"cd /tmp && {SERVE}" if image else SERVE], replicas=REST,
                probes={"readiness": {"http": "/who", "period": "100ms"}}, **in_image)
    took, dropped, starts = [], 0, set()
    with concurrent.futures.ThreadPoolExecutor(options.clients) as clients:
        for _ in range(options.rounds):
            cloud.until(lambda: not cloud.service()["replicas"], "rest")
            time.sleep(0.5)  # for another container to be made, and the machine to be quiet
            answers = list(clients.map(ask, [cloud.services_port] * options.clients))
            dropped += answers.count(None)
            took += [one for one in answers if one is not None]
            starts.add(cloud.job(cloud.service()["replicas"][0]["job"])["start"]["warm"])
    end(cloud)
    shutil.rmtree(folder, ignore_errors=True)
    return sorted(took), dropped, starts


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--gyre", default=ROOT / "build" / "gyre", type=pathlib.Path)
    parser.add_argument("--rounds", default=30, type=int)
    parser.add_argument("--clients", default=8, type=int)
    options = parser.parse_args()
    gyre = options.gyre.resolve()
    kinds = [("a process", 0, None)]
    can = os.geteuid() == 0 and images.BUSYBOX.exists() and (
        shutil.which("crun") or shutil.which("runc"))
    with tempfile.TemporaryDirectory(prefix="gyre-image-") as folder:
        if can:
            image = str(images.busybox(pathlib.Path(folder) / "layout").folder)
            kinds += [("a container", 0, image), ("a warm container", 1, image)]
        print(f"{'first byte from':18} {'p50 ms':>8} {'p95 ms':>8} {'longest':>8} {'dropped':>8}")
        for name, warm, image in kinds:
            took, dropped, starts = measure(gyre, warm, image, options)
            p95 = took[int(len(took) * 0.95)]
            print(f"{name:18} {statistics.median(took):8.0f} {p95:8.0f} {took[-1]:8.0f} "
                  f"{dropped:8d} of {len(took) + dropped}; warm starts: {sorted(starts)}",
                  flush=True)


if __name__ == "__main__":
    main()
