"""The files of deploy/ for agents, in a real Prometheus and Alertmanager beside a real agent."""
import re
import urllib.error
import urllib.request

import pytest

from cloud import PATIENCE_S
from fleets import Fleet
from gpus_of_agents import Gpus
from watched_cloud import METRIC, Monitors, expressions_of, exported_names, until

PLAYBOOK = """
version: 1
name: hardware
playbooks:
  fell-off: {on: device_fault, do: [quarantine, move, reset]}
limits: {nodes: 100%, repair: 1m}
"""


class Guarded:
    """An agent whose GPUs cannot be repaired, with everything of deploy/ that watches it."""

    def __init__(self, gyre, deploy, folder):
        self.fleet = Fleet(gyre, folder)
        self.fleet.serve()
        self.monitors = None
        try:
            self.fleet.cli("heal", "apply", "-", stdin=PLAYBOOK)
            self.gpus = Gpus(self.fleet.new_agent("a"), "aa")
            agent = self.fleet.agent("a", "--metrics", "0", "--repair", "reset=false")
            self.gpus.until_sound()
            found = re.search(r"metrics at http://127\.0\.0\.1:(\d+)/metrics", agent.said())
            self.port = int(found[1])
            self.monitors = Monitors(self.fleet.port, deploy, folder, [self.port])
        except BaseException:
            self.end()
            raise

    def page(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics",
                                    timeout=PATIENCE_S) as answer:
            return answer.read().decode()

    def end(self):
        if self.monitors:
            self.monitors.end()
        self.fleet.close()


@pytest.fixture(scope="module")
def guarded(gyre, root, tmp_path_factory):
    one = Guarded(gyre, root / "deploy", tmp_path_factory.mktemp("guarded"))
    yield one
    one.end()


def test_the_agent_is_scraped_and_what_is_asked_for_is_exported(guarded, root):
    ask = guarded.monitors.query
    until(lambda: ask('up{job="gyre-agent"} == 1'))
    until(lambda: ask("gyre_agent_connected == 1"))
    there = exported_names(guarded.page())
    asked = set()
    for path in [*(root / "deploy/grafana/dashboards").glob("*.json"),
                 root / "deploy/prometheus/gyre.alerts.yml"]:
        for expression in expressions_of(path):
            ask(expression)  # fails unless it parses
            asked |= {n for n in METRIC.findall(expression) if n.startswith("gyre_agent_")}
    assert len(asked) > 10 and asked <= there, asked - there
    assert float(ask("gyre_agent_disk_free_bytes")[0]["value"][1]) > 0
    assert float(ask("max_over_time(gyre_agent_silence_seconds[1m])")[0]["value"][1]) < PATIENCE_S


def test_a_repair_that_fails_reaches_people(guarded):
    until(lambda: guarded.monitors.query('gyre_agent_repairs_total{outcome="failed"} == 0'))
    guarded.gpus.become("xid 1 0 79\n")
    alert = guarded.monitors.webhook.wait("GyreAgentRepairFailed", "firing")
    assert alert["labels"]["instance"] == f"127.0.0.1:{guarded.port}"
    assert alert["labels"]["severity"] == "ticket"


def test_a_path_that_is_not_there_names_the_one_that_is(guarded):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{guarded.port}/v1/jobs", timeout=PATIENCE_S)
    assert refused.value.code == 404
    said = refused.value.read().decode()
    assert "'/v1/jobs' is no path of this server; there is /metrics" in said
