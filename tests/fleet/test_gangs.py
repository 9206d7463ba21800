"""Jobs on other machines: gangs that meet, logs from where they are, nodes that are taken out."""

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
