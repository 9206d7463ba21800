"""What `gyre exec` must do whatever the task is: a process of the node, or a container.

Who imports this has a fixture `job_of`, which makes a running job of a shell script."""
import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from cloud import PATIENCE_S, until

WAITS = "while true; do sleep 0.1; done"
# What makes a process one of the task's.
IDENTITY = ("cat /proc/self/cgroup; "
            "for kind in mnt pid ipc uts user net cgroup; do readlink /proc/self/ns/$kind; done; "
            "id; grep -E '^(Cap|Seccomp|NoNewPrivs)' /proc/self/status; pwd; ulimit -n; "
            "echo $GYRE_JOB_ID $GYRE_TASK $CUDA_VISIBLE_DEVICES $GREETING $PATH; echo whole")


def log_of(cloud, job, last):
    """All that the job wrote, once it ends like that."""
    def whole():
        log = cloud.cli("logs", job).stdout
        return log if log.endswith(last) else None
    return until(whole, f"job {job} writes {last}")


def running(words):
    """Processes of which the command line has these words."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if re.search(words, line) and " exec " not in line:
            found.append(int(pid))
    return found


def open_files(cloud):
    return len(os.listdir(f"/proc/{cloud.process.pid}/fd"))


def settled_open_files(cloud):
    """How many it has once two looks agree: what an earlier client had is closed by then."""
    def settled():
        files = open_files(cloud)
        time.sleep(0.2)
        return open_files(cloud) == files and files
    return until(settled, "its open files are as many as before")


def resident_kib(cloud):
    status = pathlib.Path(f"/proc/{cloud.process.pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


class Terminal:
    """`gyre exec -t` in a terminal of its own, as a person has it."""

    def __init__(self, cloud, *arguments, rows=30, columns=100, stdout=None):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.said = b""
        self.modes_before = self.modes()
        self.process = subprocess.Popen(
            [cloud.program, "exec", "-it", *map(str, arguments)], env=cloud.environment,
            cwd=cloud.folder, stdin=slave, stdout=stdout or slave, stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self):
        return termios.tcgetattr(self.master)

    def type(self, keys):
        os.write(self.master, keys)

    def hears(self, words):
        deadline = time.monotonic() + PATIENCE_S
        while words not in self.said:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"it never said {words}: {self.said}"
            try:
                self.said += os.read(self.master, 65536)
            except OSError as error:  # the terminal's end
                raise AssertionError(f"it ended before it said {words}: {self.said}") from error
        _, self.said = self.said.split(words, 1)

    def code(self):
        code = self.process.wait(PATIENCE_S)
        os.close(self.master)
        return code


def test_streams_stay_apart_and_the_code_is_the_commands(cloud, job_of):
    job = job_of(WAITS)
    result = cloud.cli("exec", job, "--", "sh", "-c", "echo out; echo err >&2; exit 7", code=7)
    assert (result.stdout, result.stderr) == ("out\n", "err\n")
    cloud.cli("exec", job, "--", "true")
    cloud.cli("exec", job, "--", "sh", "-c", "kill -9 $$", code=137)
    result = cloud.cli("exec", job, "--", "echo", "--", "a b", "&command=x", "%41", "ä", stdin="")
    assert result.stdout == "-- a b &command=x %41 ä\n"


def test_the_command_is_one_of_the_tasks_own(cloud, job_of):
    job = job_of(f"{IDENTITY}; {WAITS}", env={"GREETING": "hello"})
    own = log_of(cloud, job, "whole\n")
    assert cloud.cli("exec", job, "--", "sh", "-c", IDENTITY).stdout == own


def test_ten_megabytes_come_back_whole(cloud, job_of):
    job = job_of(WAITS)
    data = os.urandom(10_000_000)
    assert cloud.cli("exec", job, "--", "cat", stdin=data, text=False).stdout == data
    counted = cloud.cli("exec", job, "--", "sh", "-c", "cat >&2", stdin=data, text=False)
    assert (counted.stdout, counted.stderr) == (b"", data)


def test_a_command_that_does_not_read_ends_all_the_same(cloud, job_of):
    job = job_of(WAITS)
    cloud.cli("exec", job, "--", "sh", "-c", "exec <&-; exit 3", stdin="x" * 1_000_000, code=3)
    read = cloud.cli("exec", job, "--", "head", "-c", "5", stdin="0123456789" * 100_000)
    assert read.stdout == "01234"


def test_a_terminal_has_the_size_of_the_persons_and_follows_it(cloud, job_of):
    job = job_of(WAITS)
    script = ("trap 'stty size' WINCH; readlink /proc/self/fd/0; stty size; echo ready; "
              "while true; do sleep 0.05; done")
    shell = Terminal(cloud, job, "--", "sh", "-c", script)
    shell.hears(b"/dev/pts/")
    shell.hears(b"30 100")
    shell.hears(b"ready")
    shell.resize(41, 133)
    shell.hears(b"41 133")
    shell.type(b"\x03")
    assert shell.code() == 130


def test_keys_reach_the_command_and_control_c_too(cloud, job_of):
    job = job_of(WAITS)
    script = ("trap 'echo was told; exit 5' INT; read word; echo got $word; "
              "while true; do sleep 0.05; done")
    shell = Terminal(cloud, job, "--", "sh", "-c", script)
    shell.type(b"abc\r")
    shell.hears(b"got abc")
    shell.type(b"\x03")
    shell.hears(b"was told")
    assert shell.code() == 5
    assert cloud.job(job)["state"] == "running"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP,
                                 signal.SIGPIPE])
def test_a_signal_that_ends_the_client_leaves_the_terminal_as_it_was(cloud, job_of, how):
    job = job_of(WAITS)
    shell = Terminal(cloud, job, "--", "sh", "-c", "echo up; sleep 7661")
    shell.hears(b"up")
    assert shell.modes() != shell.modes_before
    shell.process.send_signal(how)
    assert shell.process.wait(PATIENCE_S) == 128 + how
    assert shell.modes() == shell.modes_before
    until(lambda: not running("^sleep 7661"), "the command has ended")
    shell.code()


def test_a_client_that_nobody_reads_any_more_leaves_the_terminal_as_it_was(cloud, job_of):
    job = job_of(WAITS)
    reader, writer = os.pipe()
    os.close(reader)
    shell = Terminal(cloud, job, "--", "yes", "nobody reads this", stdout=writer)
    os.close(writer)
    assert shell.process.wait(PATIENCE_S) == 128 + signal.SIGPIPE
    assert shell.modes() == shell.modes_before
    until(lambda: not running("^yes nobody"), "the command has ended")
    shell.code()


def test_what_a_command_leaves_running_ends_with_it(cloud, job_of):
    job = job_of(WAITS)
    script = "sleep 7655 & (setsid sleep 7655 &) ; echo over"
    assert cloud.cli("exec", job, "--", "sh", "-c", script).stdout == "over\n"
    assert not running("^sleep 7655")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_client_that_is_gone_leaves_nothing(cloud, job_of, how):
    # Whoever runs the tests may ignore it, and what they start would too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    job = job_of(WAITS)
    cloud.cli("exec", job, "--", "true")
    files = settled_open_files(cloud)
    script = ("trap '' HUP TERM; sleep 7656 & (setsid sleep 7656 &) ; echo up; "
              "sleep 7656; sleep 7656")
    client = cloud.start("exec", str(job), "--", "sh", "-c", script)
    assert client.stdout.readline() == "up\n"
    until(lambda: len(running("^sleep 7656")) == 3, "all three run")
    client.send_signal(how)
    client.communicate(timeout=PATIENCE_S)
    until(lambda: not running("sleep 7656"), "all have ended")
    until(lambda: open_files(cloud) <= files, "the server has closed what it had open")
    assert cloud.job(job)["state"] == "running"


def test_a_client_that_is_gone_is_seen_while_its_input_waits(cloud, job_of):
    job = job_of(WAITS)
    command = [cloud.program, "exec", str(job), "--", "sh", "-c", "echo up; sleep 7657"]
    client = subprocess.Popen(command, env=cloud.environment, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    assert client.stdout.readline() == b"up\n"
    os.set_blocking(client.stdin.fileno(), False)
    full = time.monotonic()
    while time.monotonic() - full < 0.5:  # until it has taken nothing for a while
        try:
            os.write(client.stdin.fileno(), b"x" * 65536)
            full = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    client.kill()
    client.wait(PATIENCE_S)
    until(lambda: not running("^sleep 7657"), "the command has ended")


@pytest.mark.parametrize("command", [["yes", "a line that is written again and again"],
                                     ["sh", "-c", "while true; do printf x; done"]],
                         ids=["lines", "bytes"])
def test_a_reader_that_stalls_stops_the_command_and_costs_no_memory(cloud, job_of, command):
    job = job_of(WAITS)
    before = resident_kib(cloud)
    client = cloud.start("exec", str(job), "--", *command)
    words = "^" + " ".join(command)
    pid = until(lambda: running(words), "it runs")[0]

    def written():
        counts = pathlib.Path(f"/proc/{pid}/io").read_text(encoding="utf-8")
        return re.search(r"wchar: (\d+)", counts)[1]

    def stalled():
        seen = written()
        time.sleep(0.3)
        return written() == seen
    until(stalled, "it writes no more")
    assert resident_kib(cloud) - before < 16_384
    client.kill()
    client.communicate(timeout=PATIENCE_S)
    until(lambda: not running(words), "it has ended")


def test_the_end_of_the_task_ends_the_command_and_is_told(cloud, job_of):
    job = job_of("while [ ! -e go ] && [ ! -e /tmp/go ]; do sleep 0.05; done")
    script = "trap '' TERM HUP; echo up; sleep 7658; sleep 7658"
    client = cloud.start("exec", str(job), "--", "sh", "-c", script)
    assert client.stdout.readline() == "up\n"
    cloud.cli("exec", job, "--", "sh", "-c", "touch go 2>/dev/null || touch /tmp/go", code=None)
    assert cloud.wait(job)["state"] == "succeeded"
    _, said = client.communicate(timeout=PATIENCE_S)
    assert client.returncode == 1
    assert "the task has ended, and ended the command with it" in said
    assert not running("^sleep 7658")


def test_it_says_why_there_is_nothing_to_run_in(cloud, job_of):
    job = job_of("true", wait=False)
    cloud.wait(job, "succeeded")
    refused = cloud.cli("exec", job, "--", "true", code=1)
    assert refused.stderr == f"gyre: job {job} has ended (succeeded): no task of it runs\n"
    holder = job_of(WAITS, resources={"gpu": 4})
    waiting = job_of("true", wait=False, resources={"gpu": 4})

    def refusal(*arguments, code=1):
        return cloud.cli("exec", *arguments, code=code).stderr
    assert (f"job {waiting} waits (WaitingForTurn): no task of it runs; "
            f"see 'gyre explain {waiting}'") in refusal(waiting, "--", "true")
    assert "there is none of rank 1" in refusal("--rank", 1, holder, "--", "true")
    assert "there is no job 77" in refusal(77, "--", "true")
    assert "there is no program 'nonesuch' in the task" in refusal(holder, "--", "nonesuch")
    assert "there is no command" in refusal(holder, code=2)
    assert "is no job id" in refusal("x", "--", "true", code=2)


def test_no_more_than_sixteen_at_a_time(cloud, job_of):
    job = job_of(WAITS)
    command = ["exec", str(job), "--", "sh", "-c", "echo up; sleep 7659"]
    clients = [cloud.start(*command) for _ in range(16)]
    for client in clients:
        assert client.stdout.readline() == "up\n"
    refused = cloud.cli("exec", job, "--", "true", code=1).stderr
    assert "16 commands run in this task already, which is the most" in refused
    for client in clients:
        client.kill()
        client.communicate(timeout=PATIENCE_S)
    until(lambda: not running("^sleep 7659"), "all have ended")
    until(lambda: cloud.cli("exec", job, "--", "true", code=None).returncode == 0, "there is room")


def test_a_server_that_is_killed_takes_the_command_with_it_and_not_the_task(cloud, job_of):
    job = job_of(WAITS)
    client = cloud.start("exec", str(job), "--", "sh", "-c", "echo up; sleep 7660")
    assert client.stdout.readline() == "up\n"
    cloud.kill()
    _, said = client.communicate(timeout=PATIENCE_S)
    assert client.returncode == 1 and "broke off" in said
    until(lambda: not running("^sleep 7660"), "the command has ended")
    cloud.up()
    assert cloud.wait(job, "running")
    assert cloud.cli("exec", job, "--", "echo", "still here").stdout == "still here\n"
