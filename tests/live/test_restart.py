"""What a server finds when it starts again."""
import os
import shutil

import pytest

from cloud import until


def test_a_running_job_outlives_the_server_and_its_output_is_whole(server, pipe):
    server.up()
    go = server.folder / "go"
    os.mkfifo(go)
    job = server.submit(f"echo before; echo up > {pipe.path}; read x < {go}; echo after; exit 7")
    assert pipe.line() == "up"
    server.wait(job, "running")
    server.kill()
    server.up()
    assert server.job(job)["state"] == "running"
    go.write_text("on\n")
    ended = server.wait(job)
    assert (ended["state"], ended["exit_code"]) == ("failed", 7)
    log = next((server.state / "tasks").glob(f"{job}.1.0/stdout.log")).read_text()
    assert log == "before\nafter\n"


def test_a_job_that_ended_while_the_server_was_down_keeps_its_exit_code(server, pipe):
    server.up()
    go = server.folder / "go"
    os.mkfifo(go)
    job = server.submit(f"read x < {go}; echo over > {pipe.path}; exit 9")
    server.wait(job, "running")
    server.kill()
    go.write_text("on\n")
    assert pipe.line() == "over"
    server.up()
    assert server.wait(job)["exit_code"] == 9


def test_an_ordinary_end_of_the_server_leaves_jobs_alone_too(server, pipe):
    server.up()
    job = server.submit(f"echo up > {pipe.path}; exec sleep 1000")
    assert pipe.line() == "up"
    server.end()
    assert server.tasks_alive()
    server.up()
    server.stop_job(job)
    assert server.wait(job)["state"] == "cancelled"


def test_a_stop_is_carried_out_though_the_server_is_killed_meanwhile(server, pipe):
    server.up()
    job = server.submit(f"trap 'echo asked > {pipe.path}' TERM; echo up > {pipe.path}; "
                        "while :; do sleep 1000 & wait; done", checkpoint={"grace": "2s"})
    assert pipe.line() == "up"
    server.wait(job, "running")
    server.stop_job(job)
    server.kill()
    server.up()
    assert pipe.line() == "asked"
    ended = server.wait(job)
    assert (ended["state"], ended["exit_code"]) == ("cancelled", 137)


def test_a_waiting_job_still_waits_in_its_place(server):
    server.up("--virtual-gpus", "1xH100:80GB")
    first = server.submit("exec sleep 1000", resources={"gpu": 1})
    order = server.folder / "order"
    later = [server.submit(f"echo {n} >> {order}", resources={"gpu": 1}) for n in range(3)]
    server.kill()
    server.up("--virtual-gpus", "1xH100:80GB")
    assert [server.job(job)["state"] for job in later] == ["queued"] * 3
    server.stop_job(first)
    for job in later:
        assert server.wait(job)["state"] == "succeeded"
    assert order.read_text().split() == ["0", "1", "2"]


def test_a_submission_key_is_remembered(server):
    server.up()
    job = server.submit("true", key="once")
    server.kill()
    server.up()
    assert server.submit("true", key="once") == job
    server.wait(job)


def test_tasks_of_a_store_that_is_gone_are_ended_and_their_names_are_free(server, pipe):
    server.up()
    assert server.submit(f"echo up > {pipe.path}; exec sleep 1000") == 1
    assert pipe.line() == "up"
    server.kill()
    for file in server.state.glob("journal.*"):  # and what it was of
        file.unlink()
    server.up()
    assert server.submit("exit 4") == 1
    assert server.wait(1)["exit_code"] == 4
    assert not server.tasks_alive()
    server.hears("task 1.1.0 is of a job that was never recorded here")
    [incident] = until(lambda: server.json("incidents")["incidents"], "an incident")
    assert incident["symptom"] == "task_unrecorded" and incident["outcome"] == "noted"
    assert incident["node"] == server.json("nodes")["nodes"][0]["name"]
    assert incident["evidence"] == ("1 task ran there that this journal has no record of, and was "
                                    "ended: 1.1.0")


def test_a_node_that_changed_is_a_new_one_and_its_jobs_are_retried(server, pipe):
    server.up("--virtual-gpus", "1xH100:80GB")
    job = server.submit(f"echo $GYRE_ATTEMPT > {pipe.path}; exec sleep 1000", resources={"gpu": 1},
                        retry={"on": ["interruption"], "backoff": "1s..1s"})
    assert pipe.line() == "1"
    server.wait(job, "running")
    server.end()
    server.up("--virtual-gpus", "2xA100:40GB")
    assert pipe.line() == "2"
    nodes = server.request("GET", "/v1/nodes")[1]["nodes"]
    assert sorted(node["state"] for node in nodes) == ["down", "up"]
    server.stop_job(job)
    server.wait(job)


def test_a_task_whose_supervisor_was_killed_is_reported_and_ended(server, pipe):
    server.up()
    job = server.submit(f"echo up > {pipe.path}; exec sleep 1000", retry={"max": 0})
    assert pipe.line() == "up"
    server.wait(job, "running")
    for pid in server.tasks_alive():
        with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
            if comm.read().strip() == "gyre-task":
                os.kill(pid, 9)
    ended = server.wait(job)
    assert (ended["state"], ended["reason"]) == ("failed", "node_lost")
    assert not server.tasks_alive()


def test_memory_beyond_the_limit_is_named_as_the_cause(server):
    if "memory limit: enforced" not in server.up().said:
        pytest.skip("memory limits are not enforced on this machine")
    if shutil.which("dd") is None:
        pytest.skip("there is no dd on this machine")
    job = server.submit("exec dd if=/dev/zero of=/dev/null bs=300M count=1",
                        resources={"memory": "64MB"})
    ended = server.wait(job)
    assert ended["exit_code"] == 137
    assert "out of memory: it used more than its 64 MiB" in str(ended)
