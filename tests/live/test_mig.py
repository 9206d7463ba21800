"""MIG instances that `gyre up` makes for jobs and destroys: on this machine's own GPUs where one is
in MIG mode (and this user may make instances), else on the stand-in driver (nvml_stand_in.cc)."""
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from cloud import Cloud, until
from made_up_gpus import Machine

IN_MIG_MODE = "set 0 mig 1\nset 1 mig 1\n"
LOOK = "echo $CUDA_VISIBLE_DEVICES $GYRE_GPU_SHARING $GYRE_GPU_MEMORY_MIB; sleep 600"


class StandIn:
    """A made-up machine with two H100s, both in MIG mode."""

    def __init__(self, program, folder):
        self.machine = Machine(program, folder, mps=False)
        self.become("")
        self.cloud = self.machine.cloud

    def become(self, lines):
        self.machine.become(IN_MIG_MODE + lines)

    def parts(self):
        """The GPU instances that there are."""
        path = self.machine.script.with_name(self.machine.script.name + ".mig")
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if line.startswith("gi ")]

    def add(self, lines):
        """Instances that somebody else makes."""
        self.machine.script.with_name(self.machine.script.name + ".mig").write_text(lines)

    def end(self):
        self.machine.end()


class Hardware:
    """This machine's own GPUs; nothing can be made to fail on them."""

    def __init__(self, program, folder):
        self.cloud = Cloud(program, folder)

    @staticmethod
    def is_here():
        if os.geteuid() != 0 or not shutil.which("nvidia-smi"):
            return False
        ask = ["nvidia-smi", "--query-gpu=mig.mode.current", "--format=csv,noheader"]
        modes = subprocess.run(ask, capture_output=True, text=True, timeout=60, check=False)
        return "Enabled" in modes.stdout

    def become(self, lines):
        if lines:
            pytest.skip("it ran on hardware, which cannot be told to fail")

    def parts(self):
        listed = subprocess.run(["nvidia-smi", "mig", "-lgi"], capture_output=True, text=True,
                                timeout=60, check=False).stdout
        return re.findall(r"^\|\s+\d+\s+MIG .*$", listed, re.M)

    def add(self, lines):
        pytest.skip("it ran on hardware, where nobody else makes instances for a test")

    def end(self):
        self.cloud.end()


@pytest.fixture
def gpus(gyre, tmp_path):
    one = (Hardware if Hardware.is_here() else StandIn)(gyre, tmp_path)
    print("the MIG suite ran on", "hardware" if isinstance(one, Hardware) else "the stand-in")
    yield one
    one.end()


def submit(cloud, share, command=LOOK):
    spec = {"command": command, "resources": {"gpu": share, "sharing": "mig"}}
    return cloud.cli("submit", "-", stdin=json.dumps(spec)).stdout.strip()


def said(cloud, job):
    """What the job has printed: its instance, how it shares, the memory of that."""
    return until(lambda: cloud.cli("logs", job, code=None).stdout.split(), lambda: cloud.job(job))


def gone(gpus):
    until(lambda: not gpus.parts(), gpus.parts)


def test_two_jobs_get_an_instance_each_also_when_the_server_is_killed(gpus):
    cloud = gpus.cloud.up("--fsync", "off")
    assert "fractions by mig: each task gets an instance of the hardware's own" in cloud.said
    node = cloud.json("nodes")["nodes"][0]
    assert node["gpu_sharing"] == "mig" and node["virtual_gpus"] is False
    assert " by mig" in cloud.cli("nodes").stdout
    large, small = submit(cloud, "0.43"), submit(cloud, "0.142")
    seen = [said(cloud, job) for job in (large, small)]
    assert all(uuid.startswith("MIG-") and way == "mig" for uuid, way, _ in seen)
    assert seen[0][0] != seen[1][0] and int(seen[0][2]) > 3 * int(seen[1][2])
    assert cloud.job(large)["placement"][0]["sharing"] == "mig"
    assert len(gpus.parts()) == 2
    cloud.kill()
    assert len(gpus.parts()) == 2, "the jobs go on in theirs"
    cloud.up("--fsync", "off")
    assert "is not offered" not in cloud.said, "what is there is Gyre's"
    assert [cloud.wait(job, "running")["attempt"] for job in (large, small)] == [1, 1]
    assert len(gpus.parts()) == 2
    third = submit(cloud, "0.142", "echo $CUDA_VISIBLE_DEVICES")
    assert cloud.wait(third)["state"] == "succeeded"
    until(lambda: len(gpus.parts()) == 2, gpus.parts)
    cloud.cli("stop", large)
    assert cloud.wait(large)["state"] == "cancelled"
    until(lambda: len(gpus.parts()) == 1, gpus.parts)
    cloud.cli("stop", small)
    cloud.wait(small)
    gone(gpus)
    until(lambda: not list((cloud.state / "mig").glob("*.mig")), "no record is left")
    cloud.end()
    cloud.replay()


def test_a_task_that_is_killed_while_no_server_runs_leaves_no_instance(gpus):
    cloud = gpus.cloud.up("--fsync", "off")
    job = submit(cloud, "0.142", "echo $$; exec sleep 600")
    pid = int(said(cloud, job)[0])
    cloud.kill()
    os.kill(pid, signal.SIGKILL)
    assert len(gpus.parts()) == 1
    cloud.up("--fsync", "off")
    assert cloud.wait(job)["state"] == "failed"
    gone(gpus)


@pytest.mark.parametrize("call", ["make_gpu", "make_compute", "end_compute", "end_gpu"])
def test_a_server_that_dies_in_the_driver_leaves_no_instance(gpus, call):
    gpus.become(f"mig_kills {call}\n")
    cloud = gpus.cloud.up("--fsync", "off")
    spec = {"command": "true", "resources": {"gpu": "0.43", "sharing": "mig"}}
    cloud.cli("submit", "-", stdin=json.dumps(spec), code=None)
    assert cloud.process.wait(60) == -signal.SIGKILL
    cloud.process.stderr.close()
    gpus.become("")
    cloud.up("--fsync", "off")
    [job] = cloud.json("ps", "-a")["jobs"]
    assert cloud.wait(job["id"])["state"] == "succeeded"
    gone(gpus)


def test_slices_that_do_not_lie_together_are_a_refused_start_with_the_reason(gpus):
    cloud = gpus.cloud
    cloud.up("--fsync", "off")
    gpus.add("".join(f"gi {gpu} {number} 19 {start}\nci {gpu} {number} 0 {number}\n"
                     for gpu in (0, 1) for number, start in ((1, 1), (2, 5))))
    job = submit(cloud, "0.43")
    ended = cloud.wait(job)
    assert ended["state"] == "failed" and "no room for a MIG instance 3g.40gb" in json.dumps(ended)
    assert len(gpus.parts()) == 4, "what is another's stays"


def test_gpus_with_instances_of_another_are_left_out(gpus):
    gpus.add("gi 1 3 19 6\nci 1 3 0 1\n")
    cloud = gpus.cloud.up("--fsync", "off")
    assert "1 x H100" in cloud.said
    assert "GPU GPU-0000-aa02 (H100 in MIG mode) is not offered" in cloud.said
    assert "that Gyre did not make (GPU instance 3)" in cloud.said
    cloud.end()
    assert len(gpus.parts()) == 1


def test_who_may_not_make_instances_is_told(gpus):
    gpus.become("mig_fails list 4\n")
    cloud = gpus.cloud.up("--fsync", "off")
    assert "no GPU found" in cloud.said
    assert cloud.said.count("run Gyre as root") == 2


def test_a_fault_of_the_driver_is_the_job_s_reason(gpus):
    gpus.become("mig_fails make_gpu 20\n")
    cloud = gpus.cloud.up("--fsync", "off")
    ended = cloud.wait(submit(cloud, "0.43"))
    assert "make a MIG instance 3g.40gb" in json.dumps(ended)
    assert gpus.parts() == []


def test_the_doctor_names_the_profiles(gpus):
    result = subprocess.run([gpus.cloud.program, "doctor"], env=gpus.cloud.environment,
                            capture_output=True, text=True, timeout=60, check=False)
    assert re.search(r"fractions by mig: .*1g\.\d+gb \(0\.142\)", result.stdout)


def test_what_no_profile_is_of_is_refused(gpus):
    cloud = gpus.cloud.up("--fsync", "off")
    spec = json.dumps({"command": "true", "resources": {"gpu": "0.5", "sharing": "mig"}})
    assert "0.43 (3g." in cloud.cli("submit", "-", stdin=spec, code=3).stderr
