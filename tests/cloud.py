"""A `gyre up` on a state folder of its own, and the command line that talks to it."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

PATIENCE_S = 120  # how long a test waits for what must come; only a failure takes that long


def until(holds, what):
    """What it is once that holds. `what` says what never came; it may be a function."""
    deadline = time.monotonic() + PATIENCE_S
    while not (seen := holds()):
        if time.monotonic() > deadline:
            raise AssertionError(f"it never was so: {what() if callable(what) else what}")
        time.sleep(0.01)
    return seen


def netns_works():
    """Whether `gyre up --nodes` can be had here."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nsenter"):
        return False
    made = subprocess.run(["ip", "netns", "add", "gyre-probe"], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "delete", "gyre-probe"], capture_output=True, check=False)
    return made.returncode == 0


class Cloud:
    """One `gyre up` on a state folder of its own, and the command line that talks to it."""

    def __init__(self, program, folder):
        self.program = str(program)
        self.folder = folder
        self.state = folder / "state"
        self.process = None
        self.port = None
        self.said = ""
        self.environment = {**os.environ, "GYRE_STATE": str(self.state), "NO_COLOR": "1"}
        self.environment.pop("GYRE_SERVER", None)

    def command(self, *options, port=0):
        """What starts it: with four virtual GPUs unless told otherwise."""
        options = options or ("--virtual-gpus", "4xH100:80GB")
        return [self.program, "up", "--listen", str(port), *options]

    def up(self, *options, port=0):
        """Starts it; returns when it is ready."""
        self.process = subprocess.Popen(self.command(*options, port=port), env=self.environment,
                                        stderr=subprocess.PIPE, text=True)
        watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        watchdog.start()
        self.said = ""
        while "Ctrl-C" not in self.said:
            line = self.process.stderr.readline()
            assert line, f"the server did not start: {self.said}"
            self.said += line
            if " on http://" in line:
                self.port = int(line.rsplit(":", 1)[1])
        watchdog.cancel()
        return self

    def hears(self, words):
        """Waits until it says that."""
        watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        watchdog.start()
        while words not in self.said:
            line = self.process.stderr.readline()
            assert line, f"it never said '{words}': {self.said}"
            self.said += line
        watchdog.cancel()

    def end(self, how=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(how)
        self.process.wait(PATIENCE_S)
        if self.process.stderr:
            self.process.stderr.close()
        self.process = None

    def kill(self):
        self.end(signal.SIGKILL)

    def cli(self, *arguments, stdin=None, code=0, **more):
        """Runs a verb; its result, when it returned `code` (None: any)."""
        result = subprocess.run([self.program, *map(str, arguments)], env=self.environment,
                                input=stdin, capture_output=True, timeout=PATIENCE_S, check=False,
                                cwd=self.folder, **{"text": True, **more})
        assert code is None or result.returncode == code, (result.returncode, result.stdout,
                                                           result.stderr)
        return result

    def start(self, *arguments):
        """A verb that goes on beside the test."""
        return subprocess.Popen([self.program, *arguments], env=self.environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder)

    def run(self, *arguments):
        """The id of a job that is left to itself."""
        return self.cli("run", "--detach", *arguments).stdout.strip()

    def json(self, *arguments, code=0):
        return json.loads(self.cli(*arguments, "-o", "json", code=code).stdout)

    def job(self, job_id):
        return self.http("GET", f"/v1/jobs/{job_id}")[2]

    def wait(self, job_id, *states, patience_s=PATIENCE_S):
        deadline = time.monotonic() + patience_s
        while True:
            job = self.job(job_id)
            over = job["state"] in ("succeeded", "failed", "cancelled")
            if job["state"] in states or (over and not states):
                return job
            assert not over and time.monotonic() < deadline, f"job {job_id} stays {job}"
            time.sleep(0.01)

    def http(self, method, path, body=None, headers=None):
        """Status, headers, and the content: parsed if it is JSON, else bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            if body is not None and not isinstance(body, (str, bytes)):
                body = json.dumps(body)
            headers = {"Content-Type": "application/json"} if headers is None else headers
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
            if "json" in response.getheader("Content-Type", ""):
                content = json.loads(content) if content else None
            return response.status, dict(response.getheaders()), content
        finally:
            connection.close()

    def raw(self, text=b""):
        """A connection on which exactly `text` has been said."""
        connection = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        connection.sendall(text)
        return connection

    def street(self):
        """What the network of `up --nodes` is called by."""
        return (self.state / "nodes" / "street").read_text().strip()

    def set_link(self, node, state):
        """Cuts a node of `up --nodes` off, or joins it again: "down", "up"."""
        link = f"g{self.street()}n{node.rsplit('-', 1)[1]}"
        subprocess.run(["ip", "link", "set", link, state], check=True)

    def stop_all(self):
        """Stops every job and sees it end."""
        for job in self.json("ps")["jobs"]:
            self.cli("stop", job["id"], code=None)
            self.wait(job["id"])

    def replay(self):
        result = self.cli("replay", self.state / "journal.sqlite")
        assert "came out the same" in result.stdout


def read_to_end(connection):
    data = b""
    while piece := connection.recv(65536):
        data += piece
    connection.close()
    return data
