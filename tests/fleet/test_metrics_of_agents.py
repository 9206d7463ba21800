"""An agent's own metrics, as a Prometheus reads them."""
import http.client
import re
import shutil
import subprocess
import time

import pytest

from cloud import PATIENCE_S


def address_of(agent):
    found = re.search(r"metrics at http://127\.0\.0\.1:(\d+)/metrics", agent.said())
    return int(found[1])


def ask(port, path="/metrics", method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request(method, path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def gauge(port, name):
    """Its value; None where there is no such sample."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", ask(port)[1], re.MULTILINE)
    return found and float(found[1])


@pytest.fixture
def watched(fleet):
    agent = fleet.agent("a", "--metrics", "0")
    agent.port = address_of(agent)
    fleet.until(lambda: gauge(agent.port, "gyre_agent_connected") == 1, "it has found the server")
    return agent


def test_tasks_starts_and_what_the_agent_uses_are_told(fleet, watched):
    assert gauge(watched.port, "gyre_agent_connected") == 1
    lone = fleet.submit("sleep 1000")
    fleet.wait(lone, "running")
    assert gauge(watched.port, 'gyre_agent_tasks{state="live"}') == 1
    fleet.wait(fleet.submit("exit 3"), "failed")
    fleet.wait(fleet.submit("true"), "succeeded")
    fleet.cli("stop", lone)
    fleet.wait(lone, "cancelled")
    for name, value in [("gyre_agent_task_ends_total{outcome=\"failed\"}", 1),
                        ("gyre_agent_task_ends_total{outcome=\"succeeded\"}", 1),
                        ("gyre_agent_task_ends_total{outcome=\"stopped\"}", 1),
                        ("gyre_agent_tasks{state=\"live\"}", 0)]:
        fleet.until(lambda name=name, value=value: gauge(watched.port, name) == value, name)
    for stage in ("image", "root", "create", "init", "ready"):
        counted = f'gyre_agent_task_start_seconds_count{{stage="{stage}",warm="false"}}'
        assert gauge(watched.port, counted) == 3
    assert gauge(watched.port, "gyre_agent_orders_total") >= 6
    assert gauge(watched.port, "gyre_agent_reports_total") >= 6
    assert 0 < gauge(watched.port, "gyre_agent_lease_seconds") <= 3
    assert gauge(watched.port, "process_resident_memory_bytes") > 1 << 20
    assert abs(gauge(watched.port, "process_start_time_seconds") - time.time()) < 3600


def test_a_server_that_goes_away_and_comes_back_is_counted(fleet, watched):
    assert gauge(watched.port, "gyre_agent_connections_total") == 1
    fleet.kill()
    fleet.until(lambda: gauge(watched.port, "gyre_agent_connected") == 0, "it notices")
    fleet.serve()
    fleet.until(lambda: gauge(watched.port, "gyre_agent_connected") == 1, "it is back")
    assert gauge(watched.port, "gyre_agent_connections_total") == 2
    assert gauge(watched.port, "gyre_agent_dials_total") >= 2
    fleet.until(lambda: gauge(watched.port, "gyre_agent_reports_waiting") == 0, "all is said")


def test_the_text_is_prometheus_format_and_in_the_guide(fleet, watched, root):
    fleet.wait(fleet.submit("true"), "succeeded")
    answer, text = ask(watched.port)
    assert answer.getheader("Content-Type").startswith("text/plain; version=0.0.4")
    guide = (root / "docs/guide/monitoring.md").read_text()
    for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE):
        assert f"`{name}" in guide, name
    assert ask(watched.port, "/")[0].status == 404
    assert ask(watched.port, "/metrics?x=1")[0].status == 400
    assert ask(watched.port, method="DELETE")[0].status == 405
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (apt-get install prometheus)")
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                             capture_output=True, timeout=PATIENCE_S, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def refusal(fleet, code, *options):
    agent = fleet.new_agent("b").start(fleet.token(), *options)
    assert agent.process.wait(PATIENCE_S) == code
    agent.process = None
    return agent.said()


@pytest.mark.parametrize("wish", ["0.0.0.0:0", "nonsense", "127.0.0.1:99999", "127.0.0.1:x"])
def test_an_address_that_cannot_be_is_refused_before_the_token_is_used(fleet, wish):
    said = refusal(fleet, 2, "--metrics", wish)
    assert f"--metrics: '{wish}': " in said and "joined" not in said, said


def test_a_port_that_is_taken_is_said(fleet, watched):
    said = refusal(fleet, 1, "--metrics", str(watched.port))
    assert "--metrics: " in said and str(watched.port) in said, said


def test_without_the_option_nothing_is_served(fleet):
    assert "metrics at" not in fleet.agent("c").said()
