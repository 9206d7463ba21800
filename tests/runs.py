"""When jobs were seen to run, by the event stream of a server."""
import json
import socket
import threading
import time

from cloud import PATIENCE_S


class Runs(threading.Thread):
    """Listens to the event stream: when each attempt of a job was seen to run."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.seen = {}
        self.changed = threading.Condition()
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.connection.sendall(b"GET /v1/events?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.start()

    def run(self):
        for line in self.connection.makefile("rb"):
            if not line.startswith(b"data: "):
                continue
            now = time.perf_counter()
            event = json.loads(line[6:])
            if event["to"] == "running":
                with self.changed:
                    self.seen[event["job"], event["attempt"]] = now
                    self.changed.notify_all()

    def wait(self, job, attempt=1):
        with self.changed:
            assert self.changed.wait_for(lambda: (job, attempt) in self.seen, PATIENCE_S), (
                f"attempt {attempt} of job {job} never ran")
            return self.seen[job, attempt]
