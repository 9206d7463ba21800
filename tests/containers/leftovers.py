"""What tasks in containers could leave on the machine."""
import os
import pathlib


def mounts():
    """All but those of network namespaces, which no container has: another fleet may make some."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return {line for line in lines if " - nsfs " not in line}


def instance_of(state):
    status = os.stat(state / "tasks")
    return f"gyre-{status.st_dev:x}-{status.st_ino:x}"


def groups_of(instance):
    """Control groups of the server's tasks, in every hierarchy."""
    return [path for path, _, _ in os.walk("/sys/fs/cgroup")
            if f"/{instance}/" in path and not path.endswith("/server")]


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
             "supervisor.log", "stop", "work", "stdout.cut", "stderr.cut", "artifacts",
             "artifacts.list", "exec"}
    left["files"] = [path for task in tasks if task.is_dir() for path in task.iterdir()
                     if path.name not in known]
    return {name: value for name, value in left.items() if value}
