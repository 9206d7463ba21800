"""`gyre run`, `logs`, `stop` and `submit`: output, exit codes, signals."""
import os
import signal
import subprocess

import pytest

from cloud import PATIENCE_S


def test_output_and_exit_code_are_the_jobs_own(cloud):
    script = "echo out; echo err >&2; exit 7"
    result = cloud.cli("run", "--", "sh", "-c", script, code=7)
    assert result.stdout == "out\n"
    assert "err\n" in result.stderr


def test_a_signal_is_128_plus_its_number(cloud):
    cloud.cli("run", "--", "sh", "-c", "kill -9 $$", code=137)
    cloud.cli("run", "--", "sh", "-c", "kill -TERM $$", code=143)


def test_bytes_arrive_as_they_are(cloud):
    script = r"printf '\377\000\303\251\r\nno newline'"
    result = cloud.cli("run", "--", "sh", "-c", script, text=False)
    assert result.stdout == b"\xff\x00\xc3\xa9\r\nno newline"


def test_much_output_is_whole(cloud):
    result = cloud.cli("run", "--", "seq", "300000")
    assert result.stdout == "".join(f"{i}\n" for i in range(1, 300001))


def test_it_runs_where_the_user_is_with_what_the_user_sets(cloud):
    result = cloud.cli("run", "--gpu", "2", "--name", "mine", "--env", "A=b c", "--", "sh", "-c",
                       "pwd; echo $A; echo $CUDA_VISIBLE_DEVICES; echo $GYRE_JOB_ID")
    where, value, devices, job_id = result.stdout.splitlines()
    assert os.path.realpath(where) == os.path.realpath(cloud.folder)
    assert value == "b c"
    assert len(devices.split(",")) == 2
    assert cloud.job(job_id)["name"] == "mine"


def test_the_commands_own_flags_are_left_alone(cloud):
    assert cloud.cli("run", "--", "echo", "--gpu", "-o", "--").stdout == "--gpu -o --\n"
    assert cloud.cli("run", "echo", "-n", "bare").stdout == "bare"


def test_detach_prints_the_id_alone(cloud):
    result = cloud.cli("run", "--detach", "--", "true")
    assert result.stdout == "1\n"
    assert result.stderr == ""
    assert cloud.wait(1)["exit_code"] == 0


def test_a_program_that_is_not_there_is_an_error(cloud):
    result = cloud.cli("run", "--", "/no/such/program", code=None)
    assert result.returncode not in (0, 2, 3)
    assert "no/such/program" in result.stderr or "No such file" in result.stderr


def test_what_can_never_fit_is_3_and_names_the_best_node(cloud):
    result = cloud.cli("run", "--gpu", "9", "--", "true", code=3)
    assert "4 x H100" in result.stderr


@pytest.mark.parametrize("interrupts, code, state", [(1, 143, "cancelled"), (2, 130, "stopping")])
def test_ctrl_c_stops_the_job_and_the_second_one_leaves_it(cloud, interrupts, code, state):
    # The job says when it is interrupted, so that the second Ctrl-C comes between; else it would
    # go on until it is killed, half a minute later.
    enough = cloud.folder / "enough"
    script = "echo started; sleep 1000" if interrupts == 1 else \
        f"trap 'echo told' TERM; echo started; until [ -e {enough} ]; do sleep 0.1; done"
    run = cloud.start("run", "--", "sh", "-c", script)
    assert run.stdout.readline() == "started\n"
    run.send_signal(signal.SIGINT)
    if interrupts == 2:
        assert run.stdout.readline() == "told\n"
        run.send_signal(signal.SIGINT)
    assert run.wait(PATIENCE_S) == code
    assert cloud.job(1)["state"] == state
    enough.touch()
    run.stdout.close()
    run.stderr.close()


def test_logs_follow_growth_to_the_end(cloud):
    gate = cloud.folder / "gate"
    os.mkfifo(gate)
    job = cloud.run("--", "sh", "-c", f"echo one; read x < {gate}; echo two; echo bad >&2; exit 3")
    follow = cloud.start("logs", "-f", job)
    assert follow.stdout.readline() == "one\n"
    assert cloud.cli("logs", job).stdout == "one\n"
    with open(gate, "w", encoding="utf-8") as writer:
        writer.write("go\n")
    assert follow.stdout.read() == "two\n"
    assert follow.wait(PATIENCE_S) == 3
    follow.stdout.close()
    follow.stderr.close()
    assert cloud.cli("logs", job).stdout == "one\ntwo\n"
    assert cloud.cli("logs", "--stderr", job).stdout == "bad\n"
    assert cloud.cli("logs", "-f", job, code=3).stdout == "one\ntwo\n"


def test_logs_of_a_waiting_job_are_empty(cloud):
    cloud.run("--gpu", "4", "--", "sleep", "1000")
    waiting = cloud.run("--gpu", "1", "--", "true")
    assert cloud.cli("logs", waiting).stdout == ""


def test_stop_ends_jobs(cloud):
    first = cloud.run("--gpu", "4", "--", "sleep", "1000")
    second = cloud.run("--gpu", "4", "--", "sleep", "1000")
    cloud.wait(first, "running")
    cloud.cli("stop", second, first)
    assert cloud.wait(first)["exit_code"] == 143
    assert cloud.wait(second)["state"] == "cancelled"
    assert cloud.job(second)["exit_code"] is None
    result = cloud.cli("stop", first, code=1)
    assert f"job {first}" in result.stderr


def test_run_goes_on_when_the_server_is_killed_meanwhile(cloud):
    gate = cloud.folder / "gate"
    os.mkfifo(gate)
    run = cloud.start("run", "--", "sh", "-c", f"echo one; read x < {gate}; echo two; exit 5")
    assert run.stdout.readline() == "one\n"
    port = cloud.port
    cloud.end(signal.SIGKILL)
    assert "went away" in run.stderr.readline()
    cloud.up(port=port)
    with open(gate, "w", encoding="utf-8") as writer:
        writer.write("go\n")
    assert run.stdout.read() == "two\n"
    assert run.wait(PATIENCE_S) == 5
    run.stdout.close()
    run.stderr.close()
    assert len(cloud.json("ps", "-a")["jobs"]) == 1


SPEC = """
name: from-a-file
command: echo $WORD; exit 4
resources: {gpu: "H100:1"}
env: {WORD: hello}
"""


def test_submit_takes_files_and_stdin(cloud):
    path = cloud.folder / "job.yaml"
    path.write_text(SPEC, encoding="utf-8")
    assert cloud.cli("submit", "--wait", path, code=4).stdout == "1\n"
    assert cloud.cli("logs", "1").stdout == "hello\n"
    assert cloud.cli("submit", "-", stdin='{"command": ["true"]}').stdout == "2\n"
    assert cloud.json("submit", path) == {"id": 3}
    assert cloud.cli("submit", "--key", "k", path).stdout == "4\n"
    assert cloud.cli("submit", "--key", "k", path).stdout == "4\n"


def test_a_command_that_is_not_there_ends_as_in_a_shell_and_is_no_fault_of_the_node(cloud):
    said = cloud.cli("run", "--", "gyre-no-such-command", code=127).stderr
    assert "no such command" in said
    assert cloud.cli("run", "--", "/etc/passwd", code=126).stderr
    assert [job["retries"] for job in cloud.json("ps", "-a")["jobs"]] in ([], [0, 0])
    assert cloud.json("incidents")["incidents"] == []


def test_waiting_has_its_own_exit_code(cloud):
    result = cloud.cli("submit", "--wait", "--timeout", "1s", "-", code=4,
                       stdin="command: sleep 1000\n")
    assert "goes on" in result.stderr


def test_plan_changes_nothing(cloud):
    path = cloud.folder / "job.yaml"
    path.write_text(SPEC, encoding="utf-8")
    plan = cloud.json("plan", path)
    assert plan["starts_now"] and plan["placement"][0]["devices"] == [0]
    assert cloud.json("ps", "-a") == {"jobs": []}
    for count in (16, 17, 1024):
        path.write_text(SPEC.replace("H100:1", f"H100:{count}"), encoding="utf-8")
        assert "4 x H100" in cloud.cli("plan", path, code=3).stderr
    cloud.run("--gpu", "4", "--", "sleep", "1000")
    path.write_text(SPEC, encoding="utf-8")
    waiting = cloud.json("plan", path)
    assert not waiting["starts_now"] and waiting["waiting"]["reason"] == "WaitingForTurn"


def test_output_that_cannot_be_written_is_an_error(cloud):
    job = cloud.run("--", "echo", "hello")
    cloud.wait(job)
    with open("/dev/full", "wb") as full:
        for verb in (["ps", "-a"], ["nodes", "-o", "json"], ["logs", job], ["logs", "-f", job],
                     ["run", "--", "echo", "hello"], ["completion", "bash"]):
            ran = subprocess.run([cloud.program, *map(str, verb)], env=cloud.environment,
                                 stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            assert ran.returncode == 1, verb
            assert "cannot write" in ran.stderr and "No space left" in ran.stderr, ran.stderr
        ran = subprocess.run([cloud.program, "run", "-d", "--", "true"], env=cloud.environment,
                             stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == 1 and f"job {int(job) + 2} was submitted" in ran.stderr, ran.stderr
