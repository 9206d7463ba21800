"""The files of deploy/ in the programs that they are for: Prometheus and Alertmanager."""
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from cloud import PATIENCE_S
from watched_cloud import METRIC, expressions_of, exported_names, until

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
AGENTS_BOARD = DEPLOY / "grafana/dashboards/gyre-agents.json"
BOARDS = sorted(set((DEPLOY / "grafana/dashboards").glob("*.json")) - {AGENTS_BOARD})
# What NVIDIA's own board (12239 in Grafana's collection) asks for, but for the activity of tensor
# cores.
NVIDIA_BOARD = ("DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_SM_CLOCK",
                "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED")


def check(tool, *arguments):
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    ran = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True,
                         timeout=PATIENCE_S, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def exported(watched):
    """Names that /metrics exports, and what the rules record."""
    names = exported_names(watched.cloud.http("GET", "/metrics")[2].decode())
    rules = yaml.safe_load((DEPLOY / "prometheus/gyre.rules.yml").read_text())
    return names | {rule["record"] for group in rules["groups"] for rule in group["rules"]}


def rules_of(watched):
    groups = watched.prometheus.get("/api/v1/rules")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_the_files_are_valid():
    check("promtool", "check", "config", DEPLOY / "prometheus/prometheus.yml")
    check("amtool", "check-config", DEPLOY / "alertmanager/alertmanager.yml")
    for path in (DEPLOY / "grafana/provisioning").glob("*/*.yml"):
        assert yaml.safe_load(path.read_text())["apiVersion"] == 1


def test_each_alert_fires_when_it_should_and_not_before(tmp_path):
    cases = pathlib.Path(__file__).with_name("alerts_test.yml").read_text()
    alerts = yaml.safe_load((DEPLOY / "prometheus/gyre.alerts.yml").read_text())
    for group in alerts["groups"]:
        for rule in group["rules"]:
            assert f'alertname="{rule["alert"]}"' in cases, f"nothing makes {rule['alert']} fire"
    tests = tmp_path / "alerts_test.yml"
    tests.write_text(cases.replace("RULES", str(DEPLOY / "prometheus")))
    check("promtool", "test", "rules", tests)


def test_the_server_is_scraped_and_rules_are_evaluated(watched):
    watched.cloud.cli("run", "--gpu", "1", "--", "true")
    until(lambda: watched.query('up{job="gyre"} == 1'))
    until(lambda: watched.query('gyre_jobs{state="succeeded"} == 1'))
    until(lambda: watched.query("gyre:gpu_allocation:ratio == 0"))
    rules = until(lambda: rules_of(watched), lambda all_: all(r["health"] == "ok" for r in all_))
    assert len(rules) == 29
    assert float(watched.query('gyre_task_start_seconds_count{stage="ready"}')[0]["value"][1]) == 1
    assert float(watched.query('gyre_job_wait_seconds_count{gpus="1"}')[0]["value"][1]) == 1
    for histogram in ("gyre_decision_duration_seconds", "gyre_journal_lag_seconds"):
        counts = [int(float(s["value"][1])) for s in watched.query(f"{histogram}_bucket")]
        assert max(counts) >= 5 and len(counts) > 10


def test_a_lost_gpu_reaches_people_and_its_return_too(watched):
    watched.become("fails 1 15\n")
    alert = watched.webhook.wait("GyreGpuLost", "firing")
    assert alert["labels"]["UUID"] == "GPU-0000-aa02"
    assert alert["labels"]["severity"] == "page"
    assert alert["annotations"]["summary"].startswith("GPU 1 of ")
    watched.cloud.end()  # the driver gives a lost device back to a new process only
    watched.become("")
    watched.cloud.up("--fsync", "off", port=watched.cloud.port)
    watched.webhook.wait("GyreGpuLost", "resolved")


@pytest.mark.parametrize("path", [*BOARDS, *map(DEPLOY.joinpath, (
    "prometheus/gyre.rules.yml", "prometheus/gyre.alerts.yml"))], ids=lambda path: path.name)
def test_what_is_asked_for_is_exported(watched, path):
    until(lambda: watched.query("DCGM_FI_PROF_SM_ACTIVE"))
    there = exported(watched)
    asked = set()
    for expression in expressions_of(path):
        watched.query(expression)  # fails unless it parses
        names = {name for name in METRIC.findall(expression) if not name.startswith("gyre_agent_")}
        assert names <= there, f"{names - there} in {expression}"
        asked |= names
    assert asked, "it asks the server for nothing"


def test_the_agents_board_asks_for_what_the_guide_has_of_agents(watched):
    guide = (DEPLOY.parent / "docs/guide/monitoring.md").read_text()
    there = set(re.findall(r"`(gyre_agent_\w+)", guide))
    asked = set()
    for expression in expressions_of(AGENTS_BOARD):
        watched.query(expression)  # fails unless it parses
        asked |= {name.removesuffix("_bucket") for name in METRIC.findall(expression)}
    assert len(asked) > 10 and asked <= there, asked - there


def test_every_metric_of_gyre_is_in_the_guide(watched):
    guide = (DEPLOY.parent / "docs/guide/monitoring.md").read_text()
    text = watched.cloud.http("GET", "/metrics")[2].decode()
    for name in re.findall(r"^# TYPE (gyre_\S+)", text, re.MULTILINE):
        assert f"`{name}" in guide, name


def test_nvidias_board_finds_what_it_asks_for(watched):
    for name in NVIDIA_BOARD:
        samples = until(lambda: watched.query(name))
        assert {"gpu", "UUID", "modelName", "Hostname", "instance"} <= set(samples[0]["metric"])
