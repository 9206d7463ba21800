"""A server that tests may kill, and the proof that its journal replays to the same commands."""
import http.client
import json
import os
import select
import signal
import subprocess
import threading
import time

import pytest

PATIENCE_S = 60  # how long a test waits for what must come; only a failure takes that long
FINAL = {"succeeded", "failed", "cancelled"}


class Server:
    """One `gyre up` on a state folder; may be killed and started again on the same one."""

    def __init__(self, program, folder):
        self.program = str(program)
        self.folder = folder
        self.state = folder / "state"
        self.process = None
        self.port = None

    def command(self, *options):
        options = options or ("--virtual-gpus", "4xH100:80GB")
        return [self.program, "up", "--listen", "0", "--state", str(self.state), *options]

    def start(self, *options):
        """Returns what it says until it is ready."""
        self.process = subprocess.Popen(self.command(*options), stderr=subprocess.PIPE, text=True)
        watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        watchdog.start()
        said = []
        while not said or "Ctrl-C" not in said[-1]:
            line = self.process.stderr.readline()
            assert line, f"the server did not start: {said}"
            said.append(line)
            if "on http://" in line:
                self.port = int(line.rsplit(":", 1)[1])
        watchdog.cancel()
        return "".join(said)

    def end(self, how):
        if self.process is None:
            return
        self.process.send_signal(how)
        self.process.wait(PATIENCE_S)
        self.process.stderr.close()
        self.process = None

    def kill(self):
        self.end(signal.SIGKILL)

    def stop(self):
        self.end(signal.SIGTERM)

    def request(self, method, path, body=None, key=None):
        """Status and content. OSError or HTTPException if the server is gone."""
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def submit(self, script, key=None, **spec):
        """The id of a job that runs `script` in a shell."""
        spec = {"name": "test", "command": ["sh", "-c", script], **spec}
        status, answer = self.request("POST", "/v1/jobs", spec, key)
        assert status == 201, answer
        return answer["id"]

    def job(self, job_id):
        status, answer = self.request("GET", f"/v1/jobs/{job_id}")
        assert status == 200, answer
        return answer

    def wait(self, job_id, *states):
        """Waits until the job is in one of the states (default: any final one)."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            job = self.job(job_id)
            if job["state"] in (states or FINAL):
                return job
            assert time.monotonic() < deadline, f"job {job_id} stays {job['state']}"
            time.sleep(0.01)

    def stop_job(self, job_id):
        status, answer = self.request("POST", f"/v1/jobs/{job_id}/actions", {"action": "stop"})
        assert status == 202, answer

    def replay(self):
        """Proves that the journal's events lead to the journal's commands."""
        result = subprocess.run([self.program, "replay", str(self.state / "journal.sqlite")],
                                capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert result.returncode == 0, result.stdout + result.stderr

    def tasks_alive(self):
        """Processes that belong to a task of this server, its supervisors included."""
        mark = str(self.state / "tasks").encode()
        instance = os.stat(self.state / "tasks")
        variable = f"GYRE_TASK=gyre-{instance.st_dev:x}-{instance.st_ino:x}/".encode()
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as environ:
                    is_task = variable in environ.read()
                with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
                    is_supervisor = b"task-supervisor\0" + mark in cmdline.read()
            except OSError:
                continue
            if is_task or is_supervisor:
                found.append(int(pid))
        return found


@pytest.fixture
def server(gyre, tmp_path):
    """Not started yet. In the end nothing of it may be left, and its journal must replay."""
    one = Server(gyre, tmp_path)
    yield one
    one.stop()
    one.replay()
    left = one.tasks_alive()
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, "tasks outlived the test"


@pytest.fixture
def pipe(tmp_path):
    """A named pipe: tasks write to it what the test waits for."""

    class Pipe:
        def __init__(self, path):
            self.path = path
            os.mkfifo(path)
            self.file = os.fdopen(os.open(path, os.O_RDWR), "rb", buffering=0)

        def line(self):
            ready, _, _ = select.select([self.file], [], [], PATIENCE_S)
            return self.file.readline().decode().strip() if ready else None

    one = Pipe(tmp_path / "pipe")
    yield one
    one.file.close()
