"""What running jobs make of what they hold, on GPUs that are made up: `gyre top`, GET /v1/usage."""
import json
import time

import pytest

from cloud import PATIENCE_S
from made_up_gpus import Machine

SETTLE = "1s"


@pytest.fixture
def machine(gyre, tmp_path):
    one = Machine(gyre, tmp_path)
    one.become("set 0 gpm 1\nset 1 gpm 1\nset 0 sm_ppm 800000\nset 0 util 100\nset 1 util 100\n")
    one.cloud.up("--fsync", "off")
    yield one
    one.cloud.stop_all()
    one.end()


def report_when(machine, wish, settle=SETTLE):
    """The jobs of the report by id, once they are as wished."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        report = machine.cloud.json("top", "--settle", settle)
        jobs = {job["job"]: job for job in report["jobs"]}
        if wish(jobs):
            return report, jobs
        assert time.monotonic() < deadline, report
        time.sleep(0.1)


def start(machine, **spec):
    job = int(machine.cloud.cli("submit", "-", stdin=json.dumps(
        {"command": "sleep 1000", "resources": {"gpu": 1}, **spec})).stdout)
    machine.cloud.wait(job, "running")
    return job


def test_a_job_is_judged_by_its_sms_not_by_utilisation(machine):
    busy, idle = start(machine, name="busy"), start(machine, name="idle")
    report, jobs = report_when(machine, lambda seen: all(
        seen[job]["verdict"] != "unknown" for job in (busy, idle)))
    assert jobs[busy]["verdict"] == "good" and 0.7 < jobs[busy]["gpu_activity"] < 0.9
    assert jobs[busy]["gpu_seconds_wasted"] == 0
    assert jobs[idle]["verdict"] == "idle" and jobs[idle]["gpu_activity"] == 0
    assert {job["gpu_activity_by"] for job in jobs.values()} == {"sm"}
    assert jobs[idle]["gpu_idle_s"] >= 1 and jobs[idle]["gpu_seconds_wasted"] > 0
    assert report["gpus_held"] == 2 and report["gpus_idle"] == 1
    assert report["jobs"][0]["job"] == idle, "what wastes most comes first"
    table = machine.cloud.cli("top", "--settle", SETTLE).stdout
    assert "does nothing with its GPUs" in table and "2 GPUs held, 1 of them by idle jobs" in table
    young = machine.cloud.json("top")["jobs"]
    assert {job["verdict"] for job in young} == {"unknown"}


def test_what_a_device_did_before_is_not_the_jobs(machine):
    machine.until(lambda gpus: gpus[0]["last_minute"]["sm_active_ppm"] is not None)
    machine.become("set 0 gpm 1\nset 1 gpm 1\n")
    machine.until(lambda gpus: gpus[0]["sm_active_ppm"] == 0)
    job = start(machine)
    _, jobs = report_when(machine, lambda seen: seen[job]["verdict"] != "unknown")
    assert jobs[job]["gpu_activity"] < 0.01 and jobs[job]["verdict"] == "idle"


def test_without_gpm_the_driver_has_to_be_believed_and_that_is_said(machine):
    machine.become("set 0 util 100\nset 1 util 100\n")
    machine.until(lambda gpus: gpus[0]["sm_active_ppm"] is None)
    job = start(machine)
    _, jobs = report_when(machine, lambda seen: seen[job]["verdict"] != "unknown")
    assert jobs[job]["gpu_activity_by"] == "utilisation" and jobs[job]["verdict"] == "good"
    assert "(util)" in machine.cloud.cli("top", "--settle", SETTLE).stdout


def test_a_request_that_is_too_large_is_told(machine):
    # It holds 40 MiB, and one core for a second.
    script = "x=$(head -c 40000000 /dev/zero | tr '\\0' x); sleep 1000"
    job = start(machine, command=script, resources={"gpu": 0, "cpu": 1, "memory": "4GB"})
    _, jobs = report_when(machine, lambda seen: seen[job]["held_s"] > 1.5)
    if jobs[job]["memory_mib_peak"] is None:
        pytest.skip("this machine lets nobody limit the memory of tasks, so it is not known")
    _, jobs = report_when(machine, lambda seen: seen[job]["memory_mib_peak"] >= 40)
    assert jobs[job]["memory_mib_asked"] == 4096 and jobs[job]["memory_mib_better"] == 1024
    assert jobs[job]["cpu_milli_better"] is None, "nobody needs less than a core"
    assert jobs[job]["verdict"] == "unknown" and jobs[job]["gpu_activity"] is None
    assert "memory: 1 GiB would do" in machine.cloud.cli("top", "--settle", SETTLE).stdout


def test_a_shared_device_is_marked_and_ends_leave_the_report(machine):
    job = start(machine, resources={"gpu": "0.5"})
    _, jobs = report_when(machine, lambda seen: seen[job]["gpu_activity"] is not None)
    assert jobs[job]["shared"] and jobs[job]["gpus"] == 0.5
    machine.cloud.cli("stop", job)
    machine.cloud.wait(job)
    assert machine.cloud.json("top")["jobs"] == []
    assert "no job runs" in machine.cloud.cli("top").stderr


def test_a_restart_goes_on_from_what_it_sees(machine):
    job = start(machine)
    machine.cloud.end()
    machine.cloud.up("--fsync", "off")
    _, jobs = report_when(machine, lambda seen: seen.get(job, {}).get("verdict") == "good")
    assert jobs[job]["held_s"] > 0


def test_bad_times_are_said(machine):
    assert "--settle" in machine.cloud.cli("top", "--settle", "soon", code=2).stderr
    status, _, problem = machine.cloud.http("GET", "/v1/usage?settle=soon")
    assert status == 400 and problem["errors"][0]["pointer"] == "query:settle"
