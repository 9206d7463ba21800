"""`gyre up` on GPUs that the stand-in driver makes up (tests/live/nvml_stand_in.cc), with a
stand-in for nvidia-cuda-mps-control. tests/gpu/ has what needs real ones."""
import json
import os
import re
import shutil
import subprocess
import time

import pytest
from prometheus_client import parser

from cloud import PATIENCE_S, until
from made_up_gpus import Machine


@pytest.fixture
def machine(gyre, tmp_path):
    one = Machine(gyre, tmp_path)
    one.cloud.up("--fsync", "off")
    yield one
    one.cloud.stop_all()
    one.end()


def state_of(machine):
    return machine.cloud.json("nodes")["nodes"][0]["state"]


def test_the_gpus_are_found_and_how_they_share_is_said(machine):
    assert "2 x H100 80 GiB" in machine.cloud.said
    assert "fractions by mps: memory and threads are enforced" in machine.cloud.said
    node = machine.cloud.json("nodes")["nodes"][0]
    assert node["gpu_sharing"] == "mps" and node["virtual_gpus"] is False


def test_what_the_gpus_do_is_shown(machine):
    machine.become("set 0 util 87\nset 0 power_mw 350000\nset 0 throttle 4\nset 1 dbe 2\n"
                   "process 0 4242 1000\n")
    gpu, other = machine.until(lambda gpus: gpus[0]["utilisation_percent"] == 87)
    assert gpu["uuid"] == "GPU-0000-aa01" and gpu["health"] == "ok"
    assert gpu["power_mw"] == 350000 and gpu["throttle_reasons"] == ["sw_power_cap"]
    assert gpu["sm_active_ppm"] is None, "it offers no GPM"
    table = machine.cloud.cli("nodes", "--gpus").stdout
    assert re.search(r"H100.*ok.*87 %.*350 W.*sw_power_cap", table)
    assert other["utilisation_percent"] == 0


def test_the_activity_of_tensor_cores_is_told_where_it_is_measured(machine):
    machine.become("set 0 gpm 1\nset 0 sm_ppm 800000\nset 0 tensor_ppm 250000\n")
    gpu, other = machine.until(lambda gpus: gpus[0]["tensor_active_ppm"] == 250000)
    assert gpu["sm_active_ppm"] == 800000 and other["tensor_active_ppm"] is None
    text = machine.cloud.http("GET", "/metrics")[2].decode()
    found = re.findall(r"^DCGM_FI_PROF_PIPE_TENSOR_ACTIVE\{.*\} (\S+)$", text, re.MULTILINE)
    assert [float(value) for value in found] == [0.25]


def test_what_the_gpus_did_is_kept(machine):
    machine.become("set 0 util 87\nset 0 power_mw 350000\n")
    machine.until(lambda gpus: gpus[0]["utilisation_percent"] == 87)
    name = machine.cloud.json("nodes")["nodes"][0]["name"]
    for window, step in (("1h", 10), ("24h", 240), ("30d", 7200)):
        history = machine.cloud.http("GET", f"/v1/nodes/{name}/gpus/history?window={window}")[2]
        assert history["probed"] and history["step_s"] == step
        busy, other = history["gpus"]
        assert (busy["device"], len(busy["power_mw"])) == (0, 360)
        assert busy["power_mw"][0] is None and max(filter(None, busy["power_mw"])) <= 350000
        assert max(filter(None, busy["utilisation_percent"])) > 0
        assert set(busy["sm_active_ppm"]) == {None}, "it offers no GPM"
        assert set(other["utilisation_percent"]) == {None, 0}
    status, _, problem = machine.cloud.http("GET", f"/v1/nodes/{name}/gpus/history?window=2h")
    assert status == 400 and problem["errors"][0]["pointer"] == "query:window"
    assert machine.cloud.http("GET", "/v1/nodes/nobody/gpus/history")[0] == 404


def test_faults_are_shown(machine):
    machine.until(lambda gpus: gpus[1]["health"] == "ok")
    machine.become("xid 1 0 48\nfails 1 15\n")
    gpus = machine.until(lambda gpus: gpus[1]["health"] == "lost" and gpus[0]["xids"] == 1)
    assert gpus[0]["last_xid"] == 48 and gpus[0]["health"] == "ok"
    text = machine.metrics()
    assert re.search(r'DCGM_FI_DEV_XID_ERRORS\{gpu="0",UUID="GPU-0000-aa01".*\} 48', text)
    assert 'UUID="GPU-0000-aa02"' not in re.search(r"DCGM_FI_DEV_GPU_UTIL\{.*", text)[0]
    assert re.search(r'gyre_gpu_health\{gpu="1",.*state="lost"\} 1', text)


def test_a_critical_error_becomes_an_incident_and_a_lone_node_is_kept(machine):
    machine.until(lambda gpus: gpus[0]["xids"] == 0)
    machine.become("xid 1 1 79\n")
    deadline = time.monotonic() + PATIENCE_S
    while not (incidents := machine.cloud.json("incidents")["incidents"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    [incident] = incidents
    assert (incident["symptom"], incident["xid"]) == ("device_fault", 79)
    assert incident["remedy"] == "evacuate"
    assert incident["evidence"] == "Xid 79 of GPU 1: GPU has fallen off the bus"
    assert incident["outcome"] == "held", "to take the only node out would be the outage"
    assert machine.cloud.json("nodes")["nodes"][0]["state"] == "up"
    assert "held" in machine.cloud.cli("incidents", "--open").stdout
    name = machine.cloud.json("nodes")["nodes"][0]["name"]
    assert incident["undo"] == f"gyre node uncordon {name}"
    machine.cloud.cli("node", "uncordon", name)
    assert machine.cloud.json("incidents")["incidents"][0]["outcome"] == "undone"
    assert machine.cloud.json("incidents", "--open") == {"incidents": []}


def test_two_jobs_share_a_gpu_and_see_their_caps(machine):
    script = ("echo $GYRE_GPU_FRACTION $GYRE_GPU_SHARING $GYRE_GPU_MEMORY_MIB "
              "$CUDA_VISIBLE_DEVICES $CUDA_MPS_ACTIVE_THREAD_PERCENTAGE "
              "$CUDA_MPS_PINNED_DEVICE_MEM_LIMIT; cat $CUDA_MPS_PIPE_DIRECTORY/told; sleep 100")
    spec = {"command": script, "resources": {"gpu": "0.5", "sharing": "mps"}}
    jobs = [machine.cloud.cli("submit", "-", stdin=json.dumps(spec)).stdout.strip()
            for _ in range(2)]
    for job in jobs:
        machine.cloud.wait(job, "running")
        deadline = time.monotonic() + PATIENCE_S
        while len(lines := machine.cloud.cli("logs", job).stdout.splitlines()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert lines == ["0.5 mps 40960 GPU-0000-aa01 50 0=40960M", "start device=GPU-0000-aa01"]
        place = machine.cloud.job(job)["placement"][0]
        assert place["sharing"] == "mps" and place["gpu_milli_each"] == 500
    gpu = machine.until(lambda gpus: len(gpus[0]["tasks"]) == 2)[0]
    assert [task["job"] for task in gpu["tasks"]] == [int(job) for job in jobs]
    assert f'hpc_job="{jobs[0]},{jobs[1]}"' in machine.metrics()


def test_the_daemon_outlives_the_server_and_its_death_is_said(machine):
    spec = {"command": "sleep 100", "resources": {"gpu": "0.5"}}
    job = machine.cloud.cli("submit", "-", stdin=json.dumps(spec)).stdout.strip()
    machine.cloud.wait(job, "running")
    pid_file = machine.state / "mps" / "aa01" / "nvidia-cuda-mps-control.pid"
    pid = int(pid_file.read_text())
    machine.cloud.end()
    os.kill(pid, 0)
    machine.cloud.up("--fsync", "off")
    assert int(pid_file.read_text()) == pid
    os.kill(pid, 9)
    line = machine.cloud.process.stderr.readline()
    assert f"the MPS daemon of GPU aa01 (process {pid}) has ended by itself" in line


@pytest.mark.parametrize("request_, words", [
    ({"gpu": "0.5", "sharing": "mig"}, "its GPUs share by mps, not by mig"),
    ({"gpu": "0.5", "sharing": "timeslice"}, "its GPUs share by mps, not by timeslice"),
])
def test_what_cannot_be_enforced_is_refused(machine, request_, words):
    spec = json.dumps({"command": "true", "resources": request_})
    assert words in machine.cloud.cli("submit", "-", stdin=spec, code=3).stderr
    assert words in machine.cloud.cli("plan", "-", stdin=spec, code=3).stderr


def test_without_mps_a_share_is_said_not_to_be_enforced(gyre, tmp_path):
    if shutil.which("nvidia-cuda-mps-control"):
        pytest.skip("this machine has CUDA MPS")
    one = Machine(gyre, tmp_path, mps=False)
    one.cloud.up("--fsync", "off")
    try:
        assert "fractions by timeslice: nothing holds a task" in one.cloud.said
        spec = json.dumps({"command": "echo $GYRE_GPU_SHARING", "resources": {"gpu": "0.5"}})
        job = one.cloud.cli("submit", "--wait", "-", stdin=spec).stdout.strip()
        assert one.cloud.cli("logs", job).stdout == "timeslice\n"
        spec = json.dumps({"command": "true", "resources": {"gpu": "0.5", "sharing": "mps"}})
        assert "share by timeslice, not by mps" in one.cloud.cli("submit", "-", stdin=spec,
                                                                 code=3).stderr
    finally:
        one.end()


def test_a_hung_driver_does_not_stop_the_server(machine):
    machine.until(lambda gpus: gpus[0]["health"] == "ok")
    runs = machine.cloud.run("sleep", "1000")
    machine.cloud.wait(runs, "running")
    machine.become("hang 1\n")
    machine.until(lambda gpus: gpus[1]["health"] == "unknown" and gpus[0]["health"] == "ok")
    until(lambda: state_of(machine) == "unsure", "it is unsure")
    waits = machine.cloud.run("true")
    assert machine.cloud.job(waits)["state"] == "queued", "nothing new is put there"
    [incident] = machine.cloud.json("incidents")["incidents"]
    assert (incident["symptom"], incident["outcome"]) == ("gpu_unknown", "open")
    assert incident["evidence"] == "GPU 1 does not answer: nobody can tell how it is"
    assert machine.cloud.job(runs)["state"] == "running"
    machine.become("")
    machine.until(lambda gpus: gpus[1]["health"] == "ok")
    assert machine.cloud.wait(waits)["state"] == "succeeded"
    assert state_of(machine) == "up"
    [incident] = machine.cloud.json("incidents")["incidents"]
    assert incident["outcome"] == "recovered" and incident["recovery_ms"] > 0
    machine.cloud.cli("stop", runs)
    machine.cloud.wait(runs)


def test_a_lost_gpu_is_an_incident_without_an_xid_too(machine):
    machine.until(lambda gpus: gpus[1]["health"] == "ok")
    machine.become("fails 1 15\n")
    [incident] = until(lambda: machine.cloud.json("incidents")["incidents"], "an incident")
    assert (incident["symptom"], incident["xid"]) == ("device_fault", 79)
    assert incident["evidence"] == "GPU 1 is lost, as after Xid 79: GPU has fallen off the bus"
    assert incident["advice"] == {"immediate": "RESTART_BM", "follow_up": "CONTACT_SUPPORT"}
    assert incident["playbook"] == "device-fault"
    assert "RESTART_BM, then CONTACT_SUPPORT" in machine.cloud.cli("incidents").stdout
    machine.cloud.cli("node", "uncordon", machine.cloud.json("nodes")["nodes"][0]["name"])
    assert state_of(machine) == "unsure", "that does not bring it back"
    assert len(machine.cloud.json("incidents")["incidents"]) == 1, "of one fall"


def test_of_gpus_some_of_which_are_in_mig_mode_one_kind_is_offered(gyre, tmp_path):
    one = Machine(gyre, tmp_path)
    one.become("set 1 mig 1\n")
    one.cloud.up("--fsync", "off")
    try:
        assert "1 x H100" in one.cloud.said
        assert "GPU GPU-0000-aa02 (H100 in MIG mode) is not offered" in one.cloud.said
    finally:
        one.end()


def test_the_doctor_names_the_gpus(machine):
    result = subprocess.run([machine.cloud.program, "doctor"], env=machine.cloud.environment,
                            capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert "2 x H100 80 GiB; fractions by mps" in result.stdout


def test_the_doctor_says_what_cuda_checkpoint_lacks(machine, tmp_path):
    def says():
        ran = subprocess.run([machine.cloud.program, "doctor", "-o", "json"],
                             env=machine.cloud.environment | {"PATH": f"{tools}:/usr/bin:/bin"},
                             capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        [found] = [one for one in json.loads(ran.stdout)["findings"]
                   if one["subject"] == "CUDA checkpoint"]
        return found["detail"].split("; ")[0]

    tools = tmp_path / "tools"
    tools.mkdir()
    assert says() == "missing: cuda-checkpoint on PATH"
    (tools / "cuda-checkpoint").write_text("#!/bin/sh\n")
    (tools / "cuda-checkpoint").chmod(0o755)
    assert says() == "driver 550.54.15 and cuda-checkpoint are there"
    machine.become("driver 535.104.05\n")
    assert says() == "missing: an NVIDIA driver of release 550 or later (this is 535.104.05)"


def test_metrics_are_prometheus_text(machine):
    parser = pytest.importorskip("prometheus_client.parser")
    machine.until(lambda gpus: gpus[0]["health"] == "ok")
    machine.cloud.cli("run", "--", "true")
    families = {family.name: family
                for family in parser.text_string_to_metric_families(machine.metrics())}
    assert families["gyre_jobs"].type == "gauge"
    states = {s.labels["state"]: s.value for s in families["gyre_jobs"].samples}
    assert states["succeeded"] == 1 and sum(states.values()) == 1
    assert families["gyre_gpus"].samples[0].value == 2
    [offered] = families["gyre_gpus_offered"].samples
    assert offered.labels == {"sharing": "mps"} and offered.value == 2
    assert families["gyre_decisions"].type == "counter"
    buckets = [s for s in families["gyre_http_request_duration_seconds"].samples
               if s.name.endswith("_bucket") and s.labels["method"] == "GET"]
    counts = [s.value for s in buckets]
    assert counts == sorted(counts) and buckets[-1].labels["le"] == "+Inf" and counts[-1] > 0
    assert families["DCGM_FI_DEV_FB_USED"].samples[0].labels["Hostname"]
    assert families["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"].type in ("counter", "unknown")
