"""A server that takes agents in, agents of its own, and tasks that would notice a second self."""
import json
import os
import re
import signal
import subprocess

import pytest

from cloud import PATIENCE_S, Cloud, until

patient = pytest.mark.parametrize("fleet", ["60s"], indirect=True)  # tasks outlive who is away
# Holds a lock on a file of all nodes while it runs: who does not get it is a second self.
LONE = """
import fcntl, os, sys, time
folder, seconds = sys.argv[1], float(sys.argv[2])
lock = os.open(folder + "/lock", os.O_RDWR | os.O_CREAT, 0o600)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    os.open(folder + "/twice", os.O_CREAT)
    sys.exit(3)
os.close(os.open(folder + "/ran-" + os.environ["GYRE_ATTEMPT"], os.O_CREAT | os.O_EXCL))
time.sleep(seconds)
"""


class Agent:
    """One `gyre agent` with a state folder of its own."""

    def __init__(self, fleet, name):
        self.fleet, self.name = fleet, name
        self.folder = fleet.folder / name
        self.folder.mkdir(exist_ok=True)
        self.log = self.folder / "said"
        self.process = None
        self.gpus = ["--virtual-gpus", "2xH100:80GB"]
        self.environment = {}

    def command(self, *options):
        return [self.fleet.program, "agent", "--server", self.fleet.doors(),
                "--state", str(self.folder), *self.gpus, "--share", "4", *map(str, options)]

    def start(self, token=None, *options):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command("--name", self.name, *options),
                                            env={**self.fleet.environment, **self.environment,
                                                 "GYRE_JOIN_TOKEN": token or ""},
                                            stdout=log, stderr=log)
        return self

    def said(self):
        return self.log.read_text()

    def end(self, how=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(PATIENCE_S)
            self.process = None

    def kill_tasks(self):
        """What a machine's power-off would do."""
        mark = str(self.folder / "agent" / "tasks").encode()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as line:
                    if mark in line.read():
                        os.kill(int(pid), signal.SIGTERM)
            except OSError:
                continue


class Fleet(Cloud):
    """`gyre server`, on the same port for agents whenever it is started again."""

    def __init__(self, program, folder, lease="3s"):
        super().__init__(program, folder)
        self.lease = lease
        self.wished_port = 0  # of HTTP; 0: any
        self.agents_port = 0
        self.agents = {}

    def doors(self):
        """Where its agents come in."""
        return f"127.0.0.1:{self.agents_port}"

    def serve(self, *options):
        self.process = subprocess.Popen(
            [self.program, "server", "--listen", str(self.wished_port),
             "--agents", f"127.0.0.1:{self.agents_port}", "--node-lease", self.lease,
             *map(str, options)],
            env=self.environment, stderr=subprocess.PIPE, text=True)
        said = ""
        while "Ctrl-C" not in said:
            line = self.process.stderr.readline()
            assert line, f"the server did not start: {said}"
            said += line
        self.port = int(re.search(r" on http://.*:(\d+)", said)[1])
        self.agents_port = int(re.search(r"agents come in at .*:(\d+)", said)[1])
        return self

    def token(self, *options):
        return self.cli("node", "join-token", *options).stdout.strip()

    def new_agent(self, name):
        return self.agents.setdefault(name, Agent(self, name))

    def agent(self, name, *options):
        """A node that has come in."""
        one = self.new_agent(name)
        one.start(self.token(), *options)
        self.until(lambda: self.node(name).get("state") == "up", f"{name} comes in")
        return one

    def node(self, name):
        """The latest of that name; empty where there is none."""
        nodes = self.http("GET", "/v1/nodes")[2]["nodes"]
        return next((n for n in reversed(nodes) if n["name"] == name), {})

    def submit(self, command, **spec):
        spec = {"name": "test", "command": command, "resources": {"gpu": 1}, **spec}
        status, _, answer = self.http("POST", "/v1/jobs", spec)
        assert status == 201, answer
        return answer["id"]

    def submit_lone(self, seconds, **spec):
        spec = {"retry": {"on": ["interruption"], "max": 5, "backoff": "0s..0s"}, **spec}
        return self.submit(["python3", "-c", LONE, str(self.folder), str(seconds)], **spec)

    def ran(self, attempt):
        return (self.folder / f"ran-{attempt}").exists()

    until = staticmethod(until)

    def close(self):
        for agent in self.agents.values():
            agent.end()
        self.end()
        for agent in self.agents.values():
            agent.kill_tasks()
        assert not (self.folder / "twice").exists(), "a task ran twice at once"
        self.replay()

    def members(self):
        return json.loads((self.state / "fleet" / "members.json").read_text())
