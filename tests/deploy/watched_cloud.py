"""A real Prometheus and Alertmanager beside a real server whose GPUs are made up."""
import http.server
import json
import queue
import re
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
import yaml

from cloud import PATIENCE_S, Cloud

METRIC = re.compile(r"\b(?:gyre[_:]|DCGM_)[\w:]+")
DEVICES = """device GPU-0000-aa01 81920 9.0 00000000:1B:00.0 NVIDIA H100 80GB HBM3
device GPU-0000-aa02 81920 9.0 00000000:1C:00.0 NVIDIA H100 80GB HBM3
set 0 gpm 1
set 1 gpm 1
"""


def until(look, wish=bool):
    """What `look` gives once it is as wished."""
    deadline = time.monotonic() + PATIENCE_S
    while not wish(seen := look()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)
    return seen


def exported_names(text):
    """Names of the samples that a page of /metrics has."""
    families = dict(re.findall(r"^# TYPE (\S+) (\S+)", text, re.MULTILINE))
    names = {name for name, kind in families.items() if kind != "histogram"}
    return names | {name + part for name, kind in families.items() if kind == "histogram"
                    for part in ("_bucket", "_sum", "_count")}


def board_expressions(board):
    content = json.loads(board.read_text())
    found = [target["expr"] for panel in content["panels"] for target in panel["targets"]]
    for variable in content["templating"]["list"]:
        if variable["type"] == "query":
            found.append(re.fullmatch(r"label_values\((.*), \w+\)", variable["query"])[1])
    names = [variable["name"] for variable in content["templating"]["list"]]
    for expression in found:
        expression = expression.replace("$__rate_interval", "1m")
        for name in names:
            expression = expression.replace(f"${name}", ".*")
        assert "$" not in expression, expression
        yield expression


def expressions_of(path):
    """Each expression of a board, as Grafana would ask it, or of a file of rules."""
    if path.suffix == ".json":
        yield from board_expressions(path)
        return
    for group in yaml.safe_load(path.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


class Daemon:
    """A program that says in its log where it listens."""

    def __init__(self, name, log, *arguments):
        if not shutil.which(name):
            pytest.skip(f"{name} is not installed (apt-get install prometheus "
                        "prometheus-alertmanager): what it would do is not tested")
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen([name, *arguments], stdout=out, stderr=out)
        found = until(self.address, lambda seen: seen or self.process.poll() is not None)
        assert found, log.read_text()
        self.authority = found
        until(self.is_ready)

    def address(self):
        found = re.search(r'msg="Listening on" address=(127\.0\.0\.1:\d+)', self.log.read_text())
        return found and found[1]

    def is_ready(self):
        try:
            urllib.request.urlopen(f"http://{self.authority}/-/ready", timeout=PATIENCE_S).close()
        except urllib.error.HTTPError:
            return False  # it listens while it still reads its store
        return True

    def get(self, path, **query):
        url = f"http://{self.authority}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return json.load(answer)["data"]

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)


class Webhook:
    """Takes what Alertmanager sends."""

    def __init__(self):
        self.alerts = queue.Queue()
        alerts = self.alerts

        class Taker(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for alert in json.loads(body)["alerts"]:
                    alerts.put(alert)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker)
        self.url = f"http://127.0.0.1:{self.server.server_port}/alerts"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, name, status):
        """The next alert of that name and status."""
        while True:
            alert = self.alerts.get(timeout=PATIENCE_S)
            if alert["labels"]["alertname"] == name and alert["status"] == status:
                return alert

    def end(self):
        self.server.shutdown()
        self.server.server_close()


class Monitors:
    """Everything of deploy/ that watches the server on `port`, and agents that serve metrics."""

    def __init__(self, port, deploy, folder, agents=()):
        self.ending = []
        try:
            self.watch(port, deploy, folder, agents)
        except BaseException:
            self.end()
            raise

    def watch(self, port, deploy, folder, agents):
        self.webhook = Webhook()
        self.ending.append(self.webhook.end)
        settings = yaml.safe_load((deploy / "alertmanager/alertmanager.yml").read_text())
        settings["route"].update(group_wait="100ms", group_interval="200ms")
        settings["receivers"][0]["webhook_configs"][0]["url"] = self.webhook.url
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(settings))
        self.alertmanager = Daemon(
            "prometheus-alertmanager", folder / "alertmanager.log",
            f"--config.file={folder / 'alertmanager.yml'}", "--web.listen-address=127.0.0.1:0",
            "--cluster.listen-address=", f"--storage.path={folder / 'alertmanager'}")
        self.ending.append(self.alertmanager.end)
        shutil.copytree(deploy / "prometheus", folder / "rules")
        settings = yaml.safe_load((folder / "rules/prometheus.yml").read_text())
        settings["global"] = {"scrape_interval": "200ms", "evaluation_interval": "200ms"}
        target = settings["scrape_configs"][0]["static_configs"][0]
        target["targets"] = [f"127.0.0.1:{port}"]
        receiver = settings["alerting"]["alertmanagers"][0]["static_configs"][0]
        receiver["targets"] = [self.alertmanager.authority]
        (folder / "rules/prometheus.yml").write_text(yaml.safe_dump(settings))
        (folder / "rules/gyre-agents").mkdir()
        targets = [{"targets": [f"127.0.0.1:{agent}" for agent in agents]}]
        (folder / "rules/gyre-agents/agents.yml").write_text(yaml.safe_dump(targets))
        self.prometheus = Daemon(
            "prometheus", folder / "prometheus.log",
            f"--config.file={folder / 'rules/prometheus.yml'}",
            "--web.listen-address=127.0.0.1:0", f"--storage.tsdb.path={folder / 'tsdb'}")
        self.ending.append(self.prometheus.end)

    def query(self, expression):
        return self.prometheus.get("/api/v1/query", query=expression)["result"]

    def end(self):
        for end in reversed(self.ending):
            end()


class Watched:
    """A server on two GPUs, with everything of deploy/ that watches it."""

    def __init__(self, gyre, deploy, folder):
        self.script = folder / "gpus.txt"
        self.become("")
        driver = gyre.parent / "nvml"
        assert (driver / "libnvidia-ml.so.1").exists(), "build the tests: it stands in for a driver"
        self.cloud = Cloud(gyre, folder)
        self.cloud.environment.update(LD_LIBRARY_PATH=str(driver), NVML_STAND_IN=str(self.script))
        prices = folder / "prices.yaml"
        prices.write_text("version: 1\ngpu_hour: {default: 2, H100: 3.5}\n")
        self.cloud.up("--fsync", "off", "--prices", str(prices))
        try:
            self.monitors = Monitors(self.cloud.port, deploy, folder)
        except BaseException:
            self.cloud.end()
            raise
        self.prometheus, self.webhook = self.monitors.prometheus, self.monitors.webhook
        self.query = self.monitors.query

    def become(self, lines):
        fresh = self.script.with_suffix(".new")
        fresh.write_text(DEVICES + lines)
        fresh.rename(self.script)

    def end(self):
        self.monitors.end()
        self.cloud.end()
        self.cloud.replay()
