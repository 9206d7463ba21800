"""On hardware: a CUDA job through `gyre up`, the probe beside nvidia-smi, shares held by MPS, and
how long a process takes to its first CUDA or PyTorch call."""
import importlib.util
import pathlib
import subprocess
import sys
import time

import pytest

ALLOCATE = pathlib.Path(__file__).resolve().parent / "allocate.py"
PATIENCE_S = 120


def submit(cloud, mib, seconds, gpu):
    return cloud.run("--gpu", gpu, "--", sys.executable, str(ALLOCATE), str(mib), str(seconds))


def first_line(cloud, job):
    deadline = time.monotonic() + PATIENCE_S
    while not (lines := cloud.cli("logs", job).stdout.splitlines()):
        assert time.monotonic() < deadline, cloud.job(job)
        time.sleep(0.05)
    return lines[0]


def smi(query):
    out = subprocess.run(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits"],
                         capture_output=True, text=True, timeout=60, check=True).stdout
    return [line.split(", ") for line in out.splitlines()]


def test_a_cuda_job_runs(cloud):
    job = submit(cloud, 256, 0, "1")
    assert cloud.wait(job)["state"] == "succeeded", cloud.cli("logs", "--stderr", job).stdout
    assert first_line(cloud, job) == "taken"


def test_the_probe_says_what_nvidia_smi_says(cloud):
    job = submit(cloud, 2048, 60, "1")
    assert first_line(cloud, job) == "taken"
    used = {uuid: int(mib) for uuid, mib in smi("uuid,memory.used")}
    deadline = time.monotonic() + PATIENCE_S
    while True:
        gpus = cloud.json("nodes", "--gpus")["nodes"][0]["gpus"]
        busy = [gpu for gpu in gpus if gpu["tasks"]]
        if busy and busy[0]["memory_used_mib"] is not None and busy[0]["memory_used_mib"] >= 2048:
            break
        assert time.monotonic() < deadline, gpus
        time.sleep(0.1)
    for gpu in gpus:
        # Memory that the driver keeps for itself is counted by one and not by the other.
        assert abs(gpu["memory_used_mib"] - used[gpu["uuid"]]) <= 600
        assert 0 < gpu["temperature_celsius"] < 110 and gpu["power_mw"] > 0
    names = {uuid: name for uuid, name in smi("uuid,name")}
    assert {gpu["uuid"]: gpu["product"] for gpu in gpus} == names


def test_two_jobs_share_a_gpu_and_neither_gets_more_than_its_half(cloud):
    node = cloud.json("nodes")["nodes"][0]
    if node["gpu_sharing"] != "mps":
        pytest.skip(f"this machine shares by {node['gpu_sharing']}: no nvidia-cuda-mps-control")
    half = node["gpu_memory_mib"] // 2
    within = [submit(cloud, half // 2, 30, "0.5") for _ in range(2)]
    assert [first_line(cloud, job) for job in within] == ["taken", "taken"]
    devices = [cloud.job(job)["placement"][0]["devices"] for job in within]
    assert devices[0] == devices[1], "they share one device"
    for job in within:
        cloud.cli("stop", job)
        cloud.wait(job)
    beyond = submit(cloud, half + half // 4, 0, "0.5")
    assert first_line(cloud, beyond) == "refused", "the cap holds"


@pytest.mark.parametrize("module, script", [
    (None, "import ctypes; c = ctypes.CDLL('libcuda.so.1'); assert c.cuInit(0) == 0"),
    ("torch", "import torch; torch.zeros(1, device='cuda')"),
])
def test_cold_start(cloud, module, script):
    if module and importlib.util.find_spec(module) is None:
        pytest.skip(f"no {module} here")
    began = time.monotonic()
    job = cloud.run("--gpu", "1", "--", sys.executable, "-c", script)
    assert cloud.wait(job)["state"] == "succeeded", cloud.cli("logs", "--stderr", job).stdout
    print(f"cold start of {module or 'CUDA'}: {time.monotonic() - began:.3f} s to its end")
