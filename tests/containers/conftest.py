"""A server whose tasks run in containers, and the proof that they leave nothing on the machine."""
import os
import pathlib
import shutil
import time

import pytest

import images
from cloud import PATIENCE_S, Cloud

WHY_NOT = None
if os.geteuid() != 0:
    WHY_NOT = "containers need root"
elif not (shutil.which("crun") or shutil.which("runc")):
    WHY_NOT = "there is no crun or runc"
elif not images.BUSYBOX.exists():
    WHY_NOT = "there is no static busybox (Debian's busybox-static)"


def pytest_collection_modifyitems(items):
    for item in items:
        if WHY_NOT and "containers" in str(item.path):
            item.add_marker(pytest.mark.skip(reason=WHY_NOT))


@pytest.fixture(scope="session")
def program(request):
    path = os.environ.get("GYRE_BIN")
    return pathlib.Path(path).resolve() if path else request.getfixturevalue("gyre")


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """The path of a layout with busybox."""
    return str(images.busybox(tmp_path_factory.mktemp("image") / "layout").folder)


def mounts():
    return set(pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines())


def instance_of(state):
    status = os.stat(state / "tasks")
    return f"gyre-{status.st_dev:x}-{status.st_ino:x}"


def groups_of(instance):
    """Control groups of the server's tasks, in every hierarchy."""
    return [path for path in pathlib.Path("/sys/fs/cgroup").rglob(f"{instance}/*") if path.is_dir()]


def processes_of(state):
    """Supervisors, runtimes and tasks of the server."""
    marks = (f"GYRE_TASK={instance_of(state)}/".encode(), str(state / "tasks").encode())
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
            text += pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if int(pid) != os.getpid() and b"gyre\0up\0" not in text and any(m in text for m in marks):
            found.append((pid, text[-200:]))
    return found


def what_is_left(cloud, mounts_before):
    left = {"mounts": mounts() - mounts_before, "groups": groups_of(instance_of(cloud.state)),
            "processes": processes_of(cloud.state)}
    tasks = list((cloud.state / "tasks").iterdir())
    known = {"stdout.log", "stderr.log", "exit", "lock", "started", "running", "supervisor",
             "supervisor.log", "stop", "work"}
    left["files"] = [path for task in tasks if task.is_dir() for path in task.iterdir()
                     if path.name not in known]
    return {name: value for name, value in left.items() if value}


@pytest.fixture
def server(program, tmp_path):
    """Not started yet: tests choose its options. In the end nothing of it may be left."""
    before = mounts()
    one = Cloud(program, tmp_path)
    yield one
    if one.process is None:
        one.up()
    for job in one.json("ps")["jobs"]:
        one.cli("stop", job["id"], code=None)
        one.wait(job["id"])
    deadline = time.monotonic() + PATIENCE_S
    while what_is_left(one, before) and time.monotonic() < deadline:
        time.sleep(0.02)
    left = what_is_left(one, before)
    one.end()
    one.replay()
    assert not left


@pytest.fixture
def cloud(server):
    return server.up()
