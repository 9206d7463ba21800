"""Artifacts and ports of jobs in containers: no more is read than the task could read itself."""
import pathlib

from cloud import until
from container_jobs import log, submit


def kept(cloud, job):
    return cloud.http("GET", f"/v1/jobs/{job}/artifacts")[2]


def content(cloud, job, path):
    return cloud.http("GET", f"/v1/jobs/{job}/artifacts/content?path={path}")[2]


def test_files_of_a_container_are_kept(cloud, image):
    job = submit(cloud, image, "mkdir /tmp/out && echo hello > /tmp/out/a && echo root > /b",
                 read_only=False, artifacts=["/tmp/out/", "/b", "b"])
    assert cloud.wait(job)["state"] == "succeeded", log(cloud, job)
    assert [file["path"] for file in kept(cloud, job)["files"]] == ["b", "tmp/out/a"]
    assert content(cloud, job, "tmp/out/a") == b"hello\n"
    assert content(cloud, job, "b") == b"root\n"


def test_a_stopped_and_a_killed_task_leave_theirs(cloud, image):
    job = submit(cloud, image, "echo 1 > /tmp/a; echo ready; trap '' TERM; sleep 1000",
                 artifacts=["/tmp/a"], checkpoint={"path": "/tmp", "grace": "1s"})
    cloud.wait(job, "running")
    until(lambda: "ready" in log(cloud, job), "it is ready")
    cloud.cli("stop", job)
    cloud.wait(job)
    assert content(cloud, job, "tmp/a") == b"1\n"


def test_links_devices_and_the_kernels_files_are_left_out(cloud, image):
    job = submit(cloud, image, "cd /tmp && ln -s /etc/passwd link && mkfifo pipe",
                 artifacts=["/tmp", "/dev/null", "/proc/self", "/proc/1/environ"])
    assert cloud.wait(job)["state"] == "succeeded", log(cloud, job)
    answer = kept(cloud, job)
    assert answer["files"] == []
    left = {one["path"]: one["why"] for one in answer["left_out"]}
    assert left["tmp/link"] == "it is a symbolic link"
    assert "a device, a socket or a pipe" in left["tmp/pipe"]
    assert "a device, a socket or a pipe" in left["dev/null"]
    assert "proc/self" in left and "proc/1/environ" in left


def test_what_the_task_may_not_read_is_not_read_for_it(server, image, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    (shared / "open").write_text("for all")
    (shared / "secret").write_text("for root")
    (shared / "secret").chmod(0o600)
    for parent in [shared, *shared.parents]:
        if parent != pathlib.Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    cloud = server.up("--volume", str(tmp_path))
    job = submit(cloud, image, "cat /data/open /data/secret; true", user="1000",
                 volumes=[f"{shared}:/data:ro"], artifacts=["/data"])
    assert cloud.wait(job)["state"] == "succeeded", cloud.job(job)
    assert log(cloud, job) == "for all"
    answer = kept(cloud, job)
    assert [file["path"] for file in answer["files"]] == ["data/open"]
    assert answer["left_out"] == [{"path": "data/secret", "why": "Permission denied"}]


def test_a_container_is_told_its_ports(cloud, image):
    job = submit(cloud, image, "echo $GYRE_PORT_HTTP; sleep 1000", ports=["http"])
    cloud.wait(job, "running")
    [port] = cloud.job(job)["ports"]
    assert until(lambda: log(cloud, job), "it is told") == f"{port['port']}\n"
    status, _, problem = cloud.http("POST", "/v1/jobs", {
        "image": image, "command": "true", "ports": ["http"], "network": "none"})
    assert status in (400, 422) and "without a network" in str(problem)
