"""Two servers that share a journal in PostgreSQL, and agents that know both."""
import signal
import socket
import subprocess
import tempfile
import time

from cloud import until
from fleets import Fleet
from postgres import Wire


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Peer(Fleet):
    """One of the servers."""

    def __init__(self, pair, name, url):
        folder = pair.folder / name
        folder.mkdir()
        super().__init__(pair.program, folder, pair.lease)
        self.pair, self.name, self.url = pair, name, url
        self.log = folder / "said"
        self.agents_port = free_port()
        self.port = free_port()
        self.options = []

    def command(self, *options, port=0):
        return [self.program, "server", "--listen", str(self.port), "--services", "0", "--agents",
                f"127.0.0.1:{self.agents_port}", "--node-lease", self.lease, "--journal", self.url,
                *self.options, *options]

    def serve(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), env=self.environment, stderr=log)
        return self

    def heard(self):
        return self.log.read_text()

    def health(self):
        """What it says of itself; empty where it does not answer."""
        try:
            return self.http("GET", "/healthz")[2]
        except OSError:
            return {}

    def leads(self):
        try:
            return self.http("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def is_standby(self):
        """And knows of whom."""
        health = self.health()
        return health.get("status") == "standby" and "leader" in health

    def doors(self):
        return self.pair.doors()


class Pair:
    """Servers "a", which leads, and "b"."""

    def __init__(self, program, folder, postgres, lease="20s"):
        self.program, self.folder, self.postgres, self.lease = program, folder, postgres, lease
        self.database = postgres.new_database()
        self.wire_folder = tempfile.TemporaryDirectory(prefix="gyre-wire-")
        self.wire = Wire(postgres, self.wire_folder.name)
        self.a = Peer(self, "a", postgres.url(self.database, self.wire.folder))
        self.b = Peer(self, "b", postgres.url(self.database))
        for one in (self.a, self.b):
            one.environment["GYRE_SERVER"] = self.addresses()
            one.agents = self.a.agents

    def addresses(self):
        return ",".join(f"http://127.0.0.1:{port}" for port in (self.a.port, self.b.port))

    def doors(self):
        return ",".join(f"127.0.0.1:{one.agents_port}" for one in (self.a, self.b))

    def start(self):
        self.a.serve()
        until(self.a.leads, self.a.heard)
        self.b.serve()
        until(self.b.is_standby, self.b.heard)
        return self

    def taken_over(self, by):
        """Seconds until that one led."""
        began = time.monotonic()
        until(by.leads, by.heard)
        return time.monotonic() - began

    def sql(self, text):
        return self.postgres.sql(self.database, text)

    def close(self):
        self.wire.mend()
        for agent in self.a.agents.values():
            agent.end()
        for one in (self.a, self.b):
            if one.process is not None:
                one.process.send_signal(signal.SIGCONT)
            one.end()
        for agent in self.a.agents.values():
            agent.kill_tasks()
        self.wire.close()
        self.wire_folder.cleanup()
        assert not list(self.folder.glob("*/twice")), "a task ran twice at once"
        replayed = self.b.cli("replay", self.b.url)
        assert "came out the same" in replayed.stdout
