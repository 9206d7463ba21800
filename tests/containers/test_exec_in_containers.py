"""`gyre exec` in containers."""
import pytest

from container_jobs import submit
from exec_cases import *  # pylint: disable=wildcard-import,unused-wildcard-import
from exec_cases import IDENTITY, WAITS, log_of


@pytest.fixture
def job_of(cloud, image):
    def make(script, wait=True, **spec):
        job = submit(cloud, image, ["sh", "-c", script], retry={"max": 0}, **spec)
        if wait:
            cloud.wait(job, "running")
        return job
    return make


def test_a_user_and_a_folder_of_the_jobs_own(cloud, job_of):
    job = job_of(WAITS, user="worker", working_directory="/tmp")
    script = "id -u; id -g; pwd; echo to >/dev/stdout"
    told = cloud.cli("exec", job, "--", "sh", "-c", script).stdout
    assert told == "1000\n1001\n/tmp\nto\n"


def test_in_a_container_that_was_made_beforehand(server, image):
    server.up("--virtual-gpus", "4xH100:80GB", "--warm", "1")
    jobs = []
    for _ in range(3):
        jobs.append(submit(server, image, ["sh", "-c", f"{IDENTITY}; {WAITS}"]))
        server.wait(jobs[-1], "running")
    own = log_of(server, jobs[-1], "whole\n")
    assert server.cli("exec", jobs[-1], "--", "sh", "-c", IDENTITY).stdout == own
    server.end()  # and with it the containers that wait

