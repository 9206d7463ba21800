#!/usr/bin/env python3
"""Jobs that do nothing, from submission to end, on one node: `gyre up` and, beside it in the same
run, Slurm (Debian's slurm-wlm), set up as its guide for high throughput says: no accounting, no
process tracking, no back-fill, no delays. Both hold a bounded line of waiting jobs for the whole
time, and both keep every job's state on the same disk. Everything listens on the loopback.

  bench/throughput.py [SECONDS]     default: 60 for each; uses build/gyre; Slurm needs root
"""
import http.client
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from live import Folder, row

SUBMITTERS = 4
WAITING_MAX = 3000
BODY = b'{"command":["true"],"resources":{"gpu":0.25}}'
REQUEST = (b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
           b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY))
SLURM = ("slurmctld", "slurmd", "munged", "sbatch", "squeue")


class Counter:
    """Jobs of one `gyre up`: submitted by a few clients, seen to end in its metrics."""

    def __init__(self, port, seconds):
        self.port = port
        self.until = time.monotonic() + seconds
        self.submitted = 0
        self.ended = 0
        self.lock = threading.Lock()

    def submit(self):
        connection = socket.create_connection(("127.0.0.1", self.port))
        while time.monotonic() < self.until:
            if self.submitted - self.ended > WAITING_MAX:
                time.sleep(0.005)
                continue
            connection.sendall(REQUEST)
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 201"), answer
            with self.lock:
                self.submitted += 1

    def watch(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        while self.ended < self.submitted or time.monotonic() < self.until:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
            ended = re.search(r'gyre_job_transitions_total{to="succeeded".*} (\d+)', text)
            self.ended = int(ended[1]) if ended else 0
            time.sleep(0.05)


def gyre_rate(seconds):
    """Jobs a second that Gyre ended."""
    with Folder() as cloud:
        cloud.up("--virtual-gpus", "16xnone:64GB")
        counter = Counter(cloud.port, seconds)
        watch = threading.Thread(target=counter.watch)
        threads = [threading.Thread(target=counter.submit) for _ in range(SUBMITTERS)]
        began = time.monotonic()
        for thread in [*threads, watch]:
            thread.start()
        for thread in threads:
            thread.join()
        rate = counter.ended / (time.monotonic() - began)
        watch.join()
        cloud.end()
        cloud.replay()
    return rate


def slurm_settings(folder, host, ports):
    return f"""
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldDebug=error
SlurmdDebug=error
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_min_interval=1000,default_queue_depth=10000
PriorityType=priority/basic
MaxJobCount=200000
MaxArraySize=200001
MinJobAge=2
MessageTimeout=60
SlurmdParameters=config_overrides
SwitchType=switch/none
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=64 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(count):
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def jobs_left(environment):
    listed = subprocess.run(["squeue", "-h", "-r", "-o", "%i"], env=environment, check=True,
                            capture_output=True, text=True).stdout
    return len(listed.splitlines())


def slurm_rate(seconds):
    """Jobs a second that Slurm ended; None where it is not installed or may not be started."""
    if os.geteuid() != 0 or not all(shutil.which(program) for program in SLURM):
        return None
    folder = pathlib.Path(tempfile.mkdtemp(prefix="gyre-bench-slurm-"))
    folder.chmod(0o755)
    servers = []
    try:
        for name in ("state", "spool"):
            (folder / name).mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        config = folder / "slurm.conf"
        config.write_text(slurm_settings(folder, socket.gethostname().split(".")[0],
                                         free_ports(2)))
        environment = {**os.environ, "SLURM_CONF": str(config)}
        for command in (["munged", "-F", "--force", f"--key-file={key}",
                         f"--socket={folder}/munge.socket", f"--pid-file={folder}/munged.pid",
                         f"--log-file={folder}/munge.log", f"--seed-file={folder}/seed"],
                        ["slurmctld", "-D", "-f", config], ["slurmd", "-D", "-f", config]):
            servers.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL))
            time.sleep(2)
        script = folder / "job.sh"
        script.write_text("#!/bin/sh\ntrue\n")
        count = min(100_000, 1000 * seconds)
        subprocess.run(["sbatch", f"--array=1-{count}", "-o", "/dev/null", script], check=True,
                       env=environment, stdout=subprocess.DEVNULL)
        began = time.monotonic()
        before = jobs_left(environment)
        time.sleep(seconds)
        left = jobs_left(environment)
        passed = time.monotonic() - began
        assert left > 0, "the line ran empty: submit more jobs"
        subprocess.run(["scancel", "--user=root"], env=environment, check=True)
        return (before - left) / passed
    finally:
        for server in reversed(servers):
            server.terminate()
        for server in servers:
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    ours = gyre_rate(seconds)
    theirs = slurm_rate(seconds)
    row(f"jobs that do nothing, ended in {seconds} s", f"{ours:.0f}/s",
        f"Slurm {theirs:.0f}/s: {ours / theirs:.1f} times as many" if theirs
        else "Slurm: install slurm-wlm and run as root to have it beside")


if __name__ == "__main__":
    main()
