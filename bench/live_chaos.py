#!/usr/bin/env python3
"""A scenario of `gyre chaos` on a real fleet: one server and agents in network namespaces of their
own, on this machine. Jobs keep checkpoints, services are asked all the time, what the scenario says
is broken, and in the end everything must have come to rest with nothing lost.

  bench/live_chaos.py             data/chaos/live.yaml: twenty minutes; uses build/gyre
  bench/live_chaos.py SCENARIO --for 2m --jobs 100 --seed 7
  bench/live_chaos.py SCENARIO --full-disk 60s   also a full disk, of a node or the server, so often

The jobs, services and faults are those that `gyre chaos SCENARIO --seed N --plan` prints. Needs
root and iproute2. The exit code is 1 if something was lost, ran twice, leaked or was charged
wrongly, or if more requests failed than may.
"""
import argparse
import collections
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from chaos_street import PROGRAM, Disk, Node, Street  # noqa: E402
from cloud import netns_works, until  # noqa: E402
from fleets import Fleet  # noqa: E402

REPLICA = ROOT / "tests" / "services" / "replica.py"
DOES = {"kill-task", "kill-node", "cut-node", "pause-agent", "restart-agent", "drain-node",
        "break-gpu", "kill-server", "pause-server"}
FULL_FOR_S = (2, 8)
STEP_S = 1  # of a job's work: one line of its checkpoint
CLIENTS = 4  # of each service
REQUESTS_PER_S = 20  # of each client
ASKS_FOR_S = 3  # how long a client asks again that is refused
FAILED_MAX = 0.0005  # of the requests to services, and of the questions to the API
SETTLES_S = 900
PRICES = "version: 1\ngpu_hour: {default: 360}\n"  # 0.1 USD a second

# Appends a line each step, so that a kill at any moment leaves a whole one. Who does not get the
# lock is a second self.
JOB = """
exec 9>>lock; flock -n 9 || { touch twice; exit 3; }
touch kept; done=$(wc -l < kept)
while [ $done -lt $1 ]; do sleep STEP; echo $GYRE_ATTEMPT >> kept; done=$((done + 1)); done
echo $GYRE_ATTEMPT >> ended
""".replace("STEP", str(STEP_S))


def seconds(text):
    if not (found := re.fullmatch(r"(\d+)(s|m|h)", text)):
        raise ValueError(text)
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


class Server(Fleet):
    """A server that comes back where it was."""

    def __init__(self, program, folder, street, lease_s):
        super().__init__(program, folder, f"{lease_s:g}s")
        self.street = street
        self.ports = [0, 0, 0]
        self.prices = folder / "prices.yaml"
        self.prices.write_text(PRICES)
        self.disk = Disk(self.state) if street.small_disks else None

    def serve(self):
        http_port, services_port, agents_port = self.ports
        self.process = subprocess.Popen(
            [self.program, "server", "--listen", str(http_port), "--services",
             f"127.0.0.1:{services_port}", "--agents", f"10.87.{self.street.id}.1:{agents_port}",
             "--node-lease", self.lease, "--prices", str(self.prices)],
            env=self.environment, stderr=subprocess.PIPE, text=True)
        said = ""
        while "Ctrl-C" not in said:
            line = self.process.stderr.readline()
            assert line, f"the server did not start: {said}"
            said += line
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.ports = [int(re.search(pattern, said)[1]) for pattern in (
            r" on http://.*:(\d+)", r"services at http://[^:]+:(\d+)/",
            r"agents come in at .*:(\d+)")]
        self.port, self.services_port = self.ports[:2]
        self.street.door = f"10.87.{self.street.id}.1:{self.ports[2]}"
        return self

    def end(self, how=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def ask_again(self, work, patience_s=60):
        """Whatever `work` returns, once the server is there."""
        deadline = time.monotonic() + patience_s
        while True:
            try:
                return work()
            except (OSError, http.client.HTTPException):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


class Client(threading.Thread):
    """Asks one address at a steady pace and counts what comes; a refusal is asked again."""

    def __init__(self, port, path, pause_s):
        super().__init__(daemon=True)
        self.port, self.path, self.pause_s = port, path, pause_s
        self.over = threading.Event()
        self.asked = self.failed = self.first_failed = 0
        self.faults = collections.Counter()
        self.longest_s = 0.0

    def ask(self, connection):
        connection.request("GET", self.path)
        response = connection.getresponse()
        response.read()
        if response.status >= 500:
            raise http.client.HTTPException(f"status {response.status}")

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self.over.wait(self.pause_s):
            began = time.monotonic()
            self.asked += 1
            for attempt in range(1000):
                try:
                    self.ask(connection)
                    break
                except (OSError, http.client.HTTPException) as error:
                    connection.close()
                    self.first_failed += attempt == 0
                    if time.monotonic() - began > ASKS_FOR_S:
                        self.failed += 1
                        self.faults[f"{type(error).__name__}: {error}"] += 1
                        break
                    time.sleep(0.05)
            self.longest_s = max(self.longest_s, time.monotonic() - began)

    def stop(self):
        self.over.set()
        self.join()


class Story:
    """One scenario, lived through."""

    def __init__(self, folder, plan, lasts_s):
        self.folder, self.plan, self.lasts_s = folder, plan, lasts_s
        self.work = folder / "work"
        self.work.mkdir()
        self.street = Street(folder, plan["nodes"], plan["gpus"])
        does = {fault["do"] for fault in plan["faults"]}
        self.street.made_up_gpus = "break-gpu" in does
        self.street.small_disks = "full-disk" in does
        self.server = Server(PROGRAM, folder, self.street, plan["lease_s"])
        self.jobs = {}  # by the number of the submission
        self.done = collections.Counter()
        self.chance = random.Random(plan["seed"])
        self.wrong = []
        self.slow = ""  # what makes the network slow

    # --- the beginning

    def begin(self):
        self.server.serve()
        for number in range(self.plan["nodes"]):
            node = Node(self.street, number)
            self.street.nodes.append(node)
            if self.plan["network"]["slow"]:
                self.slow = node.slow_down(self.plan["network"])
            node.start(self.server.token("--node", node.name))
        self.server.until(lambda: self.up() == self.plan["nodes"], "all nodes come in")
        for service in self.plan["services"]:
            count = max(2, service["replicas_min"])
            spec = {"kind": "service", "name": service["name"],
                    "command": [sys.executable, str(REPLICA)], "resources": {"gpu": 1},
                    "replicas": {"min": count, "max": count},
                    "probes": {"readiness": {"http": "/health", "period": "200ms"}}}
            path = self.folder / "service.json"
            path.write_text(json.dumps(spec))
            self.server.cli("service", "apply", "--wait", path)
        self.clients = [Client(self.server.services_port, f"/services/{service['name']}/who",
                               1 / REQUESTS_PER_S)
                        for service in self.plan["services"] for _ in range(CLIENTS)]
        self.api = Client(self.server.port, "/v1/jobs?limit=1", 0.1)
        for client in [*self.clients, self.api]:
            client.start()

    def up(self):
        nodes = self.server.http("GET", "/v1/nodes")[2]["nodes"]
        return sum(node["state"] == "up" for node in nodes)

    def submit(self, number):
        job = self.plan["jobs"][number]
        place = self.work / str(number)
        place.mkdir(exist_ok=True)
        steps = max(1, round(job["length_s"] / STEP_S))
        spec = {"name": job["name"], "command": ["sh", "-c", JOB, "sh", str(steps)],
                "working_directory": str(place), "resources": {"gpu": job["gpus"]},
                "preemptible": job["preemptible"], "priority": job["priority"],
                "retry": {"on": ["error", "interruption", "no-capacity"], "max": 1000,
                          "backoff": "0s..2s"}}
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"job-{number}"}
        def post():
            answer = self.server.http("POST", "/v1/jobs", spec, headers)
            if answer[0] >= 500:  # its disk is full
                raise http.client.HTTPException(str(answer[2]))
            return answer
        status, _, answer = self.server.ask_again(post)
        assert status in (200, 201), answer
        self.jobs[number] = answer["id"]

    # --- faults

    def live(self):
        """Jobs are submitted and faults happen, each at its time."""
        agenda = [(job["submit_s"], self.submit, number)
                  for number, job in enumerate(self.plan["jobs"])]
        agenda += [(fault["at_s"], self.fault, fault) for fault in self.plan["faults"]]
        agenda = sorted((item for item in agenda if item[0] < self.lasts_s),
                        key=lambda item: item[0])
        began = time.monotonic()
        mends = []
        while agenda or mends:
            mends.sort(key=lambda item: item[0])
            first = min([*agenda[:1], *mends[:1]], key=lambda item: item[0])
            (mends if mends and first is mends[0] else agenda).remove(first)
            at, act, what = first
            time.sleep(max(0.0, began + at - time.monotonic()))
            mend = act(what)
            if mend is not None:
                mends.append((at + what["for_s"], lambda _, mend=mend: mend(), None))
            self.show(time.monotonic() - began)
        for number in range(len(self.plan["jobs"])):
            if number not in self.jobs and self.plan["jobs"][number]["submit_s"] < self.lasts_s:
                self.submit(number)

    def show(self, at_s):
        if sys.stderr.isatty():
            print(f"\r{at_s:5.0f} s  {len(self.jobs)} jobs, {sum(self.done.values())} faults",
                  end="", file=sys.stderr, flush=True)

    def fault(self, fault):
        """Does it; what mends it, if anything must."""
        kind = fault["do"]
        node = self.street.nodes[fault["node"]]
        self.done[kind] += 1
        if kind in ("cut-node", "break-gpu"):
            mend = getattr(self, kind.replace("-", "_"))(node, fault)
        else:
            mend = getattr(self, kind.replace("-", "_"))(node)
        if kind == "pause-server":  # whoever asks it meanwhile waits, and could not mend it then
            threading.Timer(fault["for_s"], mend).start()
            return None
        return mend

    def kill_task(self, node):
        for candidate in [node, *self.street.nodes]:
            shells = [pid for pid in candidate.processes() if self.is_job(pid, b"sh\0")]
            if not shells:
                continue
            try:
                os.kill(self.chance.choice(shells), signal.SIGKILL)
                return
            except ProcessLookupError:
                continue

    def is_job(self, pid, command=b""):
        """Whether it belongs to a job, and is that command."""
        try:
            return (os.readlink(f"/proc/{pid}/cwd").startswith(str(self.work)) and
                    pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().startswith(command))
        except OSError:
            return False

    @staticmethod
    def come_back(node, why):
        node.away[why] -= 1
        if node.process is None and not any(node.away.values()):
            node.start()

    def kill_node(self, node):
        node.away["power"] += 1
        node.power_off()
        return lambda: self.come_back(node, "power")

    def restart_agent(self, node):
        node.away["restart"] += 1
        node.end()
        return lambda: self.come_back(node, "restart")

    @staticmethod
    def cut_node(node, fault):
        node.cut(fault["way"])
        return lambda: node.join(fault["way"])

    def break_gpu(self, node, fault):
        """The device has fallen off the bus; in the end it is back, and an operator says so."""
        device = fault["which"] % self.street.gpus
        node.gpus.lost[device] += 1
        node.gpus.write()

        def mend():
            node.gpus.lost[device] -= 1
            node.gpus.write()
            self.ask_for(node, "uncordon")
        return mend

    def full_disk(self, node):
        """Of the node, or one time in four of the server, which has to live without it shortly."""
        if self.chance.random() >= 0.25:
            node.disk.fill()
            return node.disk.empty
        self.server.disk.fill()
        time.sleep(1)
        self.server.disk.empty()
        return None

    def pause_agent(self, node):
        paused = node.process
        if paused is None:
            return None
        paused.send_signal(signal.SIGSTOP)

        def resume():
            if paused.poll() is None:
                paused.send_signal(signal.SIGCONT)
        return resume

    def drain_node(self, node):
        self.ask_for(node, "drain")
        return lambda: self.ask_for(node, "uncordon")

    def ask_for(self, node, what):
        self.server.ask_again(lambda: self.server.http(
            "POST", f"/v1/nodes/{node.name}/actions", {"action": what}))

    def kill_server(self, _):
        self.server.end(signal.SIGKILL)
        self.server.serve()

    def pause_server(self, _):
        paused = self.server.process
        paused.send_signal(signal.SIGSTOP)
        return lambda: paused.send_signal(signal.SIGCONT)

    # --- the end

    def rest(self):
        """Everything that was broken is mended, so that all must end well."""
        for node in self.street.nodes:
            node.away.clear()
            node.tell(signal.SIGCONT)
            for way in list(node.cuts):
                node.join(way, all_of_them=True)
            if node.disk is not None:
                node.disk.empty()
            if node.gpus is not None:
                node.gpus.lost.clear()
                node.gpus.write()
            if node.process is None or node.process.poll() is not None:
                node.start()
            self.ask_for(node, "uncordon")
        deadline = time.monotonic() + SETTLES_S
        open_jobs = set(self.jobs.values())
        while open_jobs and time.monotonic() < deadline:
            busy = self.server.http(
                "GET", "/v1/jobs?state=queued,starting,running,preempting,stopping&limit=1000")[2]
            open_jobs = {job["id"] for job in busy["jobs"]} & open_jobs
            time.sleep(0.5)
        if open_jobs:
            self.wrong.append(f"{len(open_jobs)} jobs never ended: {sorted(open_jobs)[:5]}")
        for client in [*self.clients, self.api]:
            client.stop()

    def judge(self):
        for number, job_id in self.jobs.items():
            self.judge_job(number, job_id)
        if self.up() != self.plan["nodes"]:
            self.wrong.append(f"{self.up()} of {self.plan['nodes']} nodes are up at the end")
        self.judge_money()
        for service in self.plan["services"]:
            self.server.cli("service", "delete", service["name"])
        until(lambda: not self.server.json("services")["services"], "the end of the services")
        leaked = until(self.at_rest, lambda: [list(node.processes()) for node in
                                              self.street.nodes])
        assert leaked
        asked = sum(client.asked for client in self.clients)
        failed = sum(client.failed for client in self.clients)
        if failed > asked * FAILED_MAX:
            self.wrong.append(f"{failed} of {asked} requests failed")
        if self.api.failed > self.api.asked * FAILED_MAX:
            self.wrong.append(f"{self.api.failed} of {self.api.asked} questions to the API failed")

    def judge_job(self, number, job_id):
        job = self.server.job(job_id)
        place = self.work / str(number)
        steps = max(1, round(self.plan["jobs"][number]["length_s"] / STEP_S))
        kept = (place / "kept").read_text().splitlines() if (place / "kept").exists() else []
        if job["state"] != "succeeded":
            self.wrong.append(f"job {job_id} is {job['state']}: {job.get('reason')}")
        elif len(kept) != steps or not (place / "ended").exists():
            self.wrong.append(f"job {job_id} has done {len(kept)} of {steps} steps")
        if (place / "twice").exists():
            self.wrong.append(f"job {job_id} ran twice at once")
        if kept != sorted(kept, key=int):
            self.wrong.append(f"job {job_id}: a run went on after its successor had begun")

    def at_rest(self):
        busy = self.server.http("GET", "/v1/jobs?state=starting,running,preempting,stopping")[2]
        return not busy["jobs"] and not any(
            self.is_job(pid) for node in self.street.nodes for pid in node.processes())

    def judge_money(self):
        """Each second of a GPU is a tenth of a dollar: what jobs are charged is what they held."""
        for job_id in self.jobs.values():
            cost = self.server.job(job_id)["cost"]
            if cost is None:
                continue
            held = cost["gpu_seconds"] * 100_000
            if abs(cost["micro_usd"] - held) > 500:
                self.wrong.append(f"job {job_id} held {cost['gpu_seconds']} s and is charged "
                                  f"{cost['micro_usd']} millionths")

    def report(self):
        jobs = [self.server.job(job_id) for job_id in self.jobs.values()]
        runs = sum(job["attempt"] for job in jobs)
        asked = sum(client.asked for client in self.clients)
        print(f"{self.plan['name']}, seed {self.plan['seed']}: {self.plan['nodes']} nodes, "
              f"{len(jobs)} jobs in {runs} runs, {len(self.plan['services'])} services, "
              f"{self.lasts_s} s")
        print("faults: " + ", ".join(f"{count} {kind}" for kind, count in
                                     sorted(self.done.items())))
        if self.slow:
            print(f"the network of every node is slow, by {self.slow}")
        first = sum(client.first_failed for client in self.clients)
        failed = sum(client.failed for client in self.clients)
        longest = max((client.longest_s for client in self.clients), default=0)
        print(f"requests: {asked}, {failed} failed ({failed / max(1, asked):.4%}; may be "
              f"{FAILED_MAX:.2%}), {first - failed} answered when asked again, "
              f"longest {longest:.2f} s")
        print(f"API: {self.api.asked} questions, {self.api.failed} failed, "
              f"{self.api.first_failed - self.api.failed} answered when asked again, longest "
              f"{self.api.longest_s:.2f} s")
        for client in [*self.clients, self.api]:
            for fault, count in client.faults.items():
                print(f"  {client.path}: {count} x {fault}")


def read_plan(options):
    said = subprocess.run([PROGRAM, "chaos", options.scenario, "--seed", str(options.seed),
                           "--plan"], stdout=subprocess.PIPE, text=True, check=False)
    if said.returncode != 0:
        sys.exit(said.returncode)
    plan = json.loads(said.stdout)
    if others := {fault["do"] for fault in plan["faults"]} - DOES:
        sys.exit(f"a live fleet cannot be given {', '.join(sorted(others))}; there are "
                 f"{', '.join(sorted(DOES))}")
    if options.full_disk:
        plan["faults"] += full_disks(plan, options.full_disk, options.seed)
    return plan


def full_disks(plan, every_s, seed):
    """At exponential times of that mean, as the scenario's own faults."""
    chance = random.Random(f"disks {seed}")
    at_s = chance.expovariate(1 / every_s)
    while at_s < plan["lasts_s"]:
        yield {"do": "full-disk", "at_s": at_s, "node": chance.randrange(plan["nodes"]),
               "for_s": chance.uniform(*FULL_FOR_S)}
        at_s += chance.expovariate(1 / every_s)


def squeezed(plan, lasts_s, jobs):
    """So many of its jobs, all within that time."""
    if jobs is not None:
        plan["jobs"] = plan["jobs"][::max(1, len(plan["jobs"]) // jobs)][:jobs]
    for job in plan["jobs"]:
        job["submit_s"] *= 0.8 * lasts_s / plan["lasts_s"]
    return plan


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("scenario", nargs="?", default=ROOT / "data" / "chaos" / "live.yaml")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--for", dest="lasts", type=seconds, metavar="TIME",
                        help="else as long as the scenario lasts")
    parser.add_argument("--full-disk", type=seconds, metavar="TIME",
                        help="fill a disk, of a node or the server, so often on average")
    parser.add_argument("--jobs", type=int, help="else as many as the scenario has")
    options = parser.parse_args()
    if not netns_works():
        sys.exit("network namespaces need root and iproute2")
    plan = read_plan(options)
    lasts_s = options.lasts or int(plan["lasts_s"])
    folder = pathlib.Path(tempfile.mkdtemp(prefix="gyre-chaos-"))
    story = Story(folder, squeezed(plan, lasts_s, options.jobs), lasts_s)
    try:
        story.begin()
        story.live()
        story.rest()
        story.judge()
        story.report()
        story.server.end()
        story.server.replay()
    finally:
        story.server.end(signal.SIGKILL)
        story.street.remove()
    for line in story.wrong[:20]:
        print(f"WRONG: {line}")
    if story.wrong:
        print(f"{len(story.wrong)} things are wrong; all is kept in {folder}")
        return 1
    for disk in filter(None, [story.server.disk, *(node.disk for node in story.street.nodes)]):
        disk.remove()
    shutil.rmtree(folder, ignore_errors=True)
    print("nothing was lost, nothing ran twice, nothing is left")
    return 0


if __name__ == "__main__":
    sys.exit(main())
