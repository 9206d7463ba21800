"""A server that tests may kill, and the proof that its journal replays to the same commands."""
import os
import select
import signal

import pytest

from cloud import PATIENCE_S, Cloud


class Server(Cloud):
    """A cloud whose jobs are shell scripts; knows which processes belong to its tasks."""

    def request(self, method, path, body=None, key=None):
        """Status and content. OSError or HTTPException if the server is gone."""
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        status, _, content = self.http(method, path, body, headers)
        return status, content

    def submit(self, script, key=None, **spec):
        """The id of a job that runs `script` in a shell."""
        spec = {"name": "test", "command": ["sh", "-c", script], **spec}
        status, answer = self.request("POST", "/v1/jobs", spec, key)
        assert status == 201, answer
        return answer["id"]

    def stop_job(self, job_id):
        status, answer = self.request("POST", f"/v1/jobs/{job_id}/actions", {"action": "stop"})
        assert status == 202, answer

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
    one.end()
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
