"""A cloud with services whose replicas are real HTTP servers, and clients that ask them."""
import http.client
import json
import pathlib
import re
import sys
import threading

import pytest

from cloud import PATIENCE_S, Cloud, until

missed_soon = pytest.mark.parametrize("village", ["3s"], indirect=True)
REPLICA = pathlib.Path(__file__).parent / "services" / "replica.py"


class Services(Cloud):
    """A cloud, and the way to its services."""

    def up(self, *options, port=0):
        super().up(*options, port=port)
        self.services_port = int(re.search(r"services at http://[^:]+:(\d+)/", self.said)[1])
        return self

    def apply(self, name="web", version="1", wait=True, code=0, **fields):
        """Applies a service of replica.py, as YAML that is JSON."""
        spec = {"kind": "service", "name": name, "env": {"VERSION": version},
                "command": [sys.executable, str(REPLICA)],
                "resources": {"gpu": 1},
                "probes": {"readiness": {"http": "/health", "period": "100ms"}}, **fields}
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(spec), encoding="utf-8")
        return self.cli("service", "apply", *(["--wait"] if wait else []), path, code=code)

    def service(self, name="web"):
        return self.http("GET", f"/v1/services/{name}")[2]

    def until(self, holds, what="it"):
        return until(holds, lambda: f"{what}; {self.json('services')}")

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.services_port, timeout=PATIENCE_S)

    def ask(self, path, method="GET", body=None, headers=None, name="web"):
        """Status and body of one request to a service."""
        connection = self.connect()
        try:
            connection.request(method, f"/services/{name}{path}", body, headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def end(one):
    """Deletes its services, sees all of it end, and replays its journal."""
    if one.process is None:
        one.up()
    for service in one.json("services")["services"]:
        if not service["deleted"]:
            one.cli("service", "delete", service["name"])
    one.until(lambda: not one.json("services")["services"], "the end of the services")
    one.stop_all()
    one.end()
    one.replay()


class Load:
    """Clients that ask all the time, each on one connection as long as that lasts."""

    def __init__(self, cloud, clients=4, path="/who"):
        self.answers = []
        self.faults = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(cloud, path))
                         for _ in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, cloud, path):
        connection = cloud.connect()
        while not self._over.is_set():
            try:
                connection.request("GET", f"/services/web{path}")
                response = connection.getresponse()
                body = response.read()
                if response.status == 200:
                    self.answers.append(body.decode())
                else:
                    self.faults.append((response.status, body))
                if response.will_close:
                    connection.close()
            except OSError as error:
                self.faults.append(error)
                connection.close()
            except http.client.HTTPException as error:
                self.faults.append(error)
                connection.close()
        connection.close()
