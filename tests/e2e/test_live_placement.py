"""A live cluster under a placement that learns: its decisions survive a restart and a replay."""
import pytest

from cloud import Cloud

OPTIONS = ("--virtual-gpus", "4xH100:80GB", "--policy", "preemptive+lookahead")


@pytest.fixture
def cloud(program, tmp_path):
    one = Cloud(program, tmp_path).up(*OPTIONS)
    yield one
    one.end()


def gauge(cloud, name):
    text = cloud.http("GET", "/metrics")[2].decode()
    line = next(line for line in text.splitlines() if line.startswith(name + " "))
    return float(line.split()[1])


def test_what_was_learned_outlives_the_server_and_the_journal_replays(cloud):
    jobs = [cloud.run("--gpu", share, "true") for _ in range(20) for share in ("0.3", "0.7")]
    for job in jobs:
        assert cloud.wait(job)["state"] == "succeeded"
    cloud.end()
    cloud.up(*OPTIONS)
    for _ in range(5):
        cloud.cli("run", "--gpu", "0.3", "true")
    cloud.end()
    cloud.replay()


def test_fragmentation_is_a_metric_of_the_fleet(cloud):
    cloud.cli("run", "--gpu", "0.6", "true")
    assert gauge(cloud, "gyre_gpus_fragmented") == 0
    job = cloud.run("--gpu", "0.6", "sleep", "60")
    cloud.wait(job, "running")
    assert gauge(cloud, "gyre_gpus_fragmented") == pytest.approx(0.4)
    assert 0 < gauge(cloud, "gyre_gpu_fragmentation_ratio") <= 1
    cloud.cli("stop", job)
    cloud.wait(job)
