"""What the GPUs of other machines do is seen as on the server's own: two agents, each on GPUs that
the stand-in driver makes up (tests/live/nvml_stand_in.cc)."""
import re
import signal

import pytest

from cloud import until
from gpus_of_agents import TWO, Gpus, job_on, moves_away


@pytest.fixture
def two(fleet):
    gpus = []
    for name, letter in TWO:
        gpus.append(Gpus(fleet.new_agent(name), letter))
        fleet.agent(name)
    for one in gpus:
        one.until_sound()
    return gpus


def metrics(fleet):
    return fleet.http("GET", "/metrics")[2].decode()


def test_samples_are_seen_kept_and_told_to_prometheus(fleet, two):
    a, b = two
    b.become("set 0 util 87\nset 0 power_mw 350000\nset 1 dbe 2\nprocess 0 4242 1000\n")
    gpu, other = b.until(lambda gpus: gpus[0]["utilisation_percent"] == 87)
    assert gpu["uuid"] == "GPU-0000-bb1" and gpu["power_mw"] == 350000
    assert [gpu["uuid"] for gpu in a.seen()] == ["GPU-0000-aa1", "GPU-0000-aa2"]
    assert {gpu["utilisation_percent"] for gpu in a.seen()} == {0}
    text = metrics(fleet)
    for uuid, node, percent in (("bb1", "b", 87), ("aa1", "a", 0)):
        assert re.search(rf'DCGM_FI_DEV_GPU_UTIL\{{gpu="0",UUID="GPU-0000-{uuid}".*'
                         rf'Hostname="{node}".*\}} {percent}', text)
    history = fleet.http("GET", "/v1/nodes/b/gpus/history?window=1h")[2]
    assert history["probed"] and max(filter(None, history["gpus"][0]["utilisation_percent"])) > 0
    b.until(lambda gpus: gpus[1]["ecc_uncorrected"] == 2 and
            gpus[0]["processes"] == [{"pid": 4242, "memory_mib": 1000}])


def test_an_agents_clock_need_not_be_right(fleet, two):
    history = fleet.http("GET", "/v1/nodes/a/gpus/history?window=1h")[2]
    assert history["gpus"][0]["power_mw"][-2:] != [None, None]


def test_a_critical_error_is_healed_as_on_the_servers_own_machine(fleet, two):
    for name in "cde":  # one of five nodes may be taken out
        fleet.new_agent(name).gpus = ["--virtual-gpus", "2xT4:16GB"]
        fleet.agent(name)
    job, broken = job_on(fleet, two)
    where = broken.agent.name
    broken.become("xid 1 1 79\n")
    [incident] = until(lambda: fleet.json("incidents")["incidents"], "an incident")
    assert (incident["symptom"], incident["xid"], incident["node"]) == ("device_fault", 79, where)
    assert incident["evidence"] == "Xid 79 of GPU 1: GPU has fallen off the bus"
    fleet.until(lambda: fleet.node(where)["state"] == "quarantined", "it takes no more jobs")
    moves_away(fleet, job, where)


def test_lost_and_hung_devices_and_nodes_are_said(fleet, two):
    a, b = two
    a.become("fails 1 15\n")
    b.become("hang 1\n")
    a.until(lambda gpus: gpus[1]["health"] == "lost" and gpus[0]["health"] == "ok")
    b.until(lambda gpus: gpus[1]["health"] == "unknown" and gpus[0]["health"] == "ok")
    fleet.until(lambda: {fleet.node(name)["state"] for name in "ab"} == {"unsure"}, "both are out")
    text = metrics(fleet)
    assert re.search(r'gyre_gpu_health\{gpu="1",UUID="GPU-0000-aa2".*state="lost"\} 1', text)
    assert 'UUID="GPU-0000-aa2"' not in "".join(re.findall(r"DCGM_FI_DEV_GPU_UTIL\{.*", text))
    b.become("")
    b.until_sound()
    b.agent.end(signal.SIGKILL)
    b.until(lambda gpus: all(gpu["health"] == "unknown" for gpu in gpus))
    assert 'UUID="GPU-0000-bb1"' not in "".join(
        re.findall(r"DCGM_FI_DEV_GPU_UTIL\{.*", metrics(fleet)))
    b.agent.start()
    b.until_sound()
    assert a.seen()[1]["health"] == "lost"
    fleet.until(lambda: fleet.node("b")["state"] == "up", "it is back")
    job = fleet.submit("true", resources={"gpu": 1})
    assert fleet.wait(job)["state"] == "succeeded"
    assert fleet.node("a")["state"] == "unsure"


def test_a_lost_gpu_is_healed_as_one_that_told_of_it(fleet, two):
    for name in "cde":  # one of five nodes may be taken out
        fleet.new_agent(name).gpus = ["--virtual-gpus", "2xT4:16GB"]
        fleet.agent(name)
    job, broken = job_on(fleet, two)
    where = broken.agent.name
    broken.become("fails 1 15\n")
    moves_away(fleet, job, where)
    [incident] = [one for one in fleet.json("incidents")["incidents"] if one["node"] == where]
    assert (incident["symptom"], incident["xid"]) == ("device_fault", 79)
    assert [one["job"] for one in incident["moved"]] == [job]


def test_errors_are_seen_after_the_server_was_away(fleet, two):
    a, _ = two
    fleet.end()
    fleet.serve()
    a.until_sound()
    a.become("xid 1 0 48\n")
    [incident] = until(lambda: fleet.json("incidents")["incidents"], "an incident")
    assert incident["xid"] == 48 and incident["node"] == "a"


def test_what_jobs_do_with_the_gpus_is_reported(fleet, two):
    job = fleet.submit("sleep 100", resources={"gpu": 1})
    fleet.wait(job, "running")
    for one in two:
        one.become("set 0 sm_ppm 800000\nset 1 sm_ppm 800000\n")
    fleet.until(lambda: (rows := fleet.json("top", "--settle", "1s")["jobs"]) and
                rows[0]["job"] == job and rows[0]["verdict"] == "good", "the job is judged")
    fleet.cli("stop", job)


def test_an_agent_that_is_killed_keeps_the_instances_of_its_tasks_alone(fleet):
    one = Gpus(fleet.new_agent("a"), "aa")
    one.become("set 0 mig 1\nset 1 mig 1\n")
    fleet.agent("a")
    assert fleet.node("a")["gpu_sharing"] == "mig"
    jobs = [fleet.submit(f"sleep {seconds}", resources={"gpu": share, "sharing": "mig"})
            for share, seconds in (("0.43", 600), ("0.142", 600))]
    for job in jobs:
        fleet.wait(job, "running")
    assert len(one.instances()) == 2
    one.agent.end(signal.SIGKILL)
    assert len(one.instances()) == 2
    one.agent.start()
    fleet.until(lambda: fleet.node("a")["state"] == "up", "it comes back")
    for left, job in enumerate(reversed(jobs), 1):
        if fleet.job(job)["state"] == "running":  # its lease has not run out meanwhile
            assert len(one.instances()) == 3 - left
        fleet.cli("stop", job, code=None)
        fleet.wait(job)
    fleet.until(lambda: not one.instances(), one.instances)
