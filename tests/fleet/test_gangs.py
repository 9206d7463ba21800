"""Jobs on other machines: gangs that meet, logs from where they are, nodes that are taken out."""
import json
import os
import signal

MEET = """
import os, socket
rank, port = int(os.environ["RANK"]), int(os.environ["MASTER_PORT"])
if rank == 0:
    door = socket.create_server((os.environ["MASTER_ADDR"], port))
    peer, _ = door.accept()
    print("heard", peer.recv(100).decode())
else:
    while True:
        try:
            peer = socket.create_connection((os.environ["MASTER_ADDR"], port))
            break
        except ConnectionRefusedError:
            pass
    peer.sendall(b"rank one")
    print("said it")
"""

# Says who and where it is, and stays until there is enough of it.
MEMBER = """
import json, os, sys, time
folder, env = sys.argv[1], os.environ
names = ["GYRE_ATTEMPT", "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"]
print("attempt", env["GYRE_TASK_ATTEMPT"], flush=True)
said = folder + "/member-" + env["RANK"] + "-" + env["GYRE_TASK_ATTEMPT"]
with open(said + "-", "w") as out:
    json.dump([os.getpid(), {name: env[name] for name in names}], out)
os.rename(said + "-", said)
while not os.path.exists(folder + "/enough"):
    time.sleep(0.1)
"""


def test_a_gang_on_two_nodes_meets_over_tcp(fleet):
    fleet.agent("a")
    fleet.agent("b")
    job = fleet.submit(["python3", "-c", MEET], nodes=2)
    assert fleet.wait(job)["state"] == "succeeded"
    assert fleet.cli("logs", job).stdout == "heard rank one\n"
    assert fleet.cli("logs", job, "--rank", "1").stdout == "said it\n"


def test_a_gang_starts_on_all_its_nodes_or_on_none(fleet):
    fleet.agent("a")
    fleet.agent("b")
    job = fleet.submit(["sh", "-c", 'test "$RANK" = 0 && exit 7; exec sleep 1000'], nodes=2)
    ended = fleet.wait(job)
    assert (ended["state"], ended["exit_code"]) == ("failed", 7)
    assert ended["reason_detail"] == "task 0: exit code 7"
    codes = fleet.job(job)["exit_codes"]
    assert codes[0] == 7 and codes[1] in (143, None)  # it was stopped, or had not begun
    shown = fleet.cli("explain", job).stdout
    assert "task 0: exit code 7" in shown
    assert f"exit codes by task: 7 of 0; {codes[1] or 'none'} of 1" in shown
    fleet.until(lambda: fleet.node("a")["gpus_free"] == fleet.node("b")["gpus_free"] == 2, "free")


def test_a_log_is_followed_from_another_node(fleet):
    fleet.agent("a")
    job = fleet.submit(["sh", "-c", "for i in 1 2 3; do echo line $i; done; yes | head -c 300000"])
    text = fleet.cli("logs", "-f", job).stdout
    assert text.startswith("line 1\nline 2\nline 3\n") and len(text) == 21 + 300000


def test_a_drained_node_empties_and_comes_back(fleet):
    fleet.agent("a")
    job = fleet.submit(["sleep", "1000"], preemptible=True)
    fleet.wait(job, "running")
    fleet.agent("b")
    fleet.cli("node", "drain", "a")
    fleet.until(lambda: fleet.job(job)["nodes"] == ["b"] and fleet.job(job)["state"] == "running",
                "it runs on b")
    assert fleet.node("a")["state"] == "draining"
    fleet.cli("node", "uncordon", "a")
    assert fleet.node("a")["state"] == "up"
    assert "no node 'z'" in fleet.cli("node", "cordon", "z", code=1).stderr
    fleet.cli("stop", job)
    fleet.wait(job)


def member(fleet, rank, attempt):
    """Its process and its environment, once it runs."""
    said = fleet.folder / f"member-{rank}-{attempt}"
    fleet.until(said.exists, f"task {rank} runs in attempt {attempt}")
    return json.loads(said.read_text())


def test_a_gang_that_loses_a_node_gets_another_one_and_runs_on(fleet):
    agents = {name: fleet.agent(name) for name in "abc"}
    job = fleet.submit(["python3", "-c", MEMBER, str(fleet.folder)], nodes=2,
                       resources={"gpu": 2}, retry={"on_node_loss": "task"})
    stays, (_, lost_env) = member(fleet, 0, 1), member(fleet, 1, 1)
    fleet.wait(job, "running")
    first, lost = fleet.job(job)["nodes"]
    spare, = set("abc") - {first, lost}
    agents[lost].end(signal.SIGKILL)
    agents[lost].kill_tasks()

    _, env = member(fleet, 1, 2)
    assert env == lost_env  # it finds the other where it was
    fleet.until(lambda: fleet.node(lost)["state"] == "down", "the node is given up")
    shown = fleet.job(job)
    assert (shown["state"], shown["attempt"], shown["retries"]) == ("running", 2, 1)
    assert [(task["node"], task["attempt"]) for task in shown["placement"]] == [(first, 1),
                                                                               (spare, 2)]
    os.kill(stays[0], 0)  # the same process goes on
    assert fleet.cli("logs", job, "--rank", "1").stdout == "attempt 2\n"
    told, = fleet.http("GET", f"/v1/decisions?job={job}&kind=replace")[2]["decisions"]
    assert told["why"].startswith(f"task 1 was started anew on node {spare}: node {lost} was lost")
    repaired = [one for one in fleet.http("GET", "/v1/incidents")[2]["incidents"]
                if one["job"] == job]
    assert [(one["symptom"], one["outcome"]) for one in repaired] == [("node_lost", "recovered")]
    metrics = fleet.http("GET", "/metrics")[2].decode()
    assert 'gyre_decisions_total{kind="replace_task"} 1\n' in metrics

    fleet.end(signal.SIGKILL)  # a server that comes back knows which task is of which attempt
    fleet.serve()
    agents[lost].start()
    fleet.until(lambda: [fleet.node(name)["state"] for name in "abc"] == ["up"] * 3, "all are up")
    assert fleet.job(job)["state"] == "running"
    (fleet.folder / "enough").touch()
    ended = fleet.wait(job)
    assert (ended["state"], ended["attempt"]) == ("succeeded", 2)
    assert fleet.job(job)["exit_codes"] == [0, 0]
    assert not (fleet.folder / "member-0-2").exists()
