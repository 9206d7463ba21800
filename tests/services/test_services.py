"""Services end to end: real replicas, real requests, real faults."""
import json
import os
import signal
import socket

from serving import Load

TWO = {"min": 2, "max": 2}


def pids_of(cloud, job):
    """The processes of a replica, found by where they run and what it was told of itself."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                environment = file.read().split(b"\0")
            with open(f"/proc/{name}/cmdline", "rb") as file:
                command = file.read()
            where = os.readlink(f"/proc/{name}/cwd")
        except OSError:
            continue
        ours = where.startswith(str(cloud.state)) and b"replica.py" in command
        if ours and f"GYRE_JOB_ID={job}".encode() in environment:
            found.append(int(name))
    return found


def serving(cloud, name="web"):
    return [one for one in cloud.service(name)["replicas"] if one["phase"] == "serving"]


def test_applied_reached_shown_and_deleted(cloud):
    url = cloud.apply(replicas=TWO).stdout.strip()
    assert url == f"http://127.0.0.1:{cloud.services_port}/services/web/"
    service = cloud.service()
    assert (service["ready"], service["wanted"], service["revision"]) == (2, 2, 1)
    assert {cloud.ask("/who")[1] for _ in range(8)} == {b"1.1:1", b"2.1:1"}
    assert cloud.ask("/a/b?c=d%20e")[1] == b"/a/b?c=d%20e"
    assert cloud.ask("")[1] == b"/"
    assert cloud.ask("/who", method="HEAD") == (200, b"")
    table = cloud.cli("services").stdout
    assert "web" in table and "2/2" in table
    assert "serving" in cloud.cli("service", "show", "web").stdout
    assert "kind: service" in cloud.cli("service", "spec", "web").stdout
    assert cloud.job(1)["state"] == "running"
    cloud.cli("service", "delete", "web")
    cloud.until(lambda: not cloud.json("services")["services"], "its end")
    assert cloud.job(1)["state"] == "cancelled"
    assert cloud.ask("/who")[0] == 404
    assert "no service 'web'" in cloud.cli("service", "show", "web", code=1).stderr
    for job in (1, 2):
        cloud.until(lambda job=job: not pids_of(cloud, job), "the end of its processes")


def test_what_is_wrong_with_a_spec_is_said(cloud):
    assert "replicas" in cloud.apply(replicas={"min": 1, "max": 3}, code=2, wait=False).stderr
    assert "never run" in cloud.apply(resources={"gpu": 9}, code=3, wait=False).stderr
    status, _, problem = cloud.http("POST", "/v1/services", {"name": "x"})
    assert status == 422 and problem["errors"]


def test_bodies_and_headers_pass_both_ways(cloud):
    cloud.apply()
    big = os.urandom(3_000_000)
    assert cloud.ask("/echo", "POST", big) == (200, big)
    connection = cloud.connect()
    connection.request("POST", "/services/web/echo", iter([b"one ", b"two"]), encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})
    assert connection.getresponse().read() == b"one two"
    connection.request("GET", "/services/web/headers", headers={
        "Connection": "X-Mine", "X-Mine": "1", "X-Kept": "2", "Te": "trailers"})
    response = connection.getresponse()
    seen = {name.lower(): value for name, value in json.loads(response.read())}
    assert seen["x-kept"] == "2" and "x-mine" not in seen and "te" not in seen
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-prefix"] == "/services/web" and seen["via"] == "1.1 gyre"
    assert response.getheader("X-End") == "kept" and response.getheader("X-Hop") is None
    connection.request("GET", "/services/web/until-close")
    assert connection.getresponse().read() == b"to the end"
    connection.close()


def test_a_stream_is_passed_on_as_it_comes(cloud):
    cloud.apply()
    connection = cloud.connect()
    connection.request("GET", "/services/web/events")
    response = connection.getresponse()
    assert response.readline() == b"data: one\n"  # before the gate is open
    assert cloud.service()["requests"]["in_flight"] == 1
    cloud.ask("/open")
    assert response.read().endswith(b"data: two\n\n")
    connection.close()


def test_another_protocol_is_passed_through(cloud):
    cloud.apply()
    with socket.create_connection(("127.0.0.1", cloud.services_port), 60) as client:
        client.sendall(b"GET /services/web/echo-socket HTTP/1.1\r\nHost: localhost\r\n"
                       b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        assert head.startswith(b"HTTP/1.1 101 ") and b"Upgrade: websocket" in head
        for word in (b"hello", b"\0\1\2"):
            client.sendall(word)
            assert client.recv(4096) == b"<" + word + b">"


def test_a_replica_that_hangs_up_is_asked_again_only_a_little(cloud):
    cloud.apply()
    status, body = cloud.ask("/hang-up")
    assert status == 502 and "too many" in json.loads(body)["detail"]
    assert cloud.service()["requests"]["retries"] == 2
    status, body = cloud.ask("/die", method="POST")
    assert status == 502 and "could do harm" in json.loads(body)["detail"]
    assert cloud.ask("/who") == (200, b"1.2:1")  # it waited for the replica's next life


def test_a_killed_replica_costs_no_request_that_may_be_repeated(cloud):
    cloud.apply(replicas=TWO)
    with Load(cloud) as load:
        cloud.until(lambda: len(load.answers) > 50)
        for pid in pids_of(cloud, 1):
            os.kill(pid, signal.SIGKILL)
        cloud.until(lambda: "1.2:1" in load.answers[-50:], "the replica's next life")
    assert load.faults == []
    assert cloud.service()["revision"] == 1


def test_a_rolling_update_under_load_fails_no_request(cloud):
    cloud.apply(replicas=TWO)
    with Load(cloud, path="/slow?s=0.05") as load:
        cloud.until(lambda: len(load.answers) > 20)
        cloud.apply(version="2", replicas=TWO)
        cloud.until(lambda: all(answer.endswith(":2") for answer in load.answers[-20:]))
    assert load.faults == []
    assert cloud.service()["revision"] == 2
    cloud.until(lambda: len(cloud.service()["replicas"]) == 2, "the end of the old replicas")


def test_a_bad_revision_is_undone(cloud):
    cloud.apply(replicas=TWO)
    with Load(cloud) as load:
        cloud.apply(version="bad", replicas=TWO, wait=False)
        cloud.until(lambda: any("status 500" in one["fault"] for one in
                                cloud.service()["replicas"]), "its fault")
        rollout = {"progress_deadline": "1s"}  # the same revision, which has had its time
        result = cloud.apply(version="bad", replicas=TWO, rollout=rollout, code=1)
        assert "revision 2 was undone" in result.stderr and "status 500" in result.stderr
        result = cloud.apply(version="crash", replicas=TWO, rollout={"crashes": 2}, code=1)
        assert "revision 3 was undone" in result.stderr
    assert load.faults == []
    assert {answer.split(":")[1] for answer in load.answers} == {"1"}
    service = cloud.service()
    assert (service["revision"], service["ready"]) == (1, 2)
    assert "revision 3 was undone" in service["notice"]
    cloud.apply(replicas=TWO)  # it waits for what was undone no more
    assert cloud.service()["revision"] == 1


def test_the_probes_of_a_new_revision_are_not_asked_of_the_one_before(cloud):
    cloud.apply(replicas=TWO)
    cloud.apply(version="2", replicas=TWO, wait=False, rollout={"progress_deadline": "2s"},
                probes={"readiness": {"log": "never said", "period": "50ms"},
                        "liveness": {"http": "/alive", "period": "50ms"}})
    while not (seen := cloud.service())["notice"]:
        assert seen["ready"] == 2
    assert "revision 2 was undone" in seen["notice"]
    assert {cloud.job(job)["attempt"] for job in (1, 2)} == {1}


def test_it_goes_to_zero_and_comes_back_without_dropping_a_request(cloud):
    cloud.apply(replicas={"min": 0, "max": 3, "target_in_flight": 2, "scale_down_after": "200ms",
                          "idle": "500ms"})
    cloud.until(lambda: cloud.service()["wanted"] == 0, "rest")
    cloud.until(lambda: not cloud.service()["replicas"], "the end of the last replica")
    with Load(cloud, clients=6, path="/slow?s=0.2") as load:
        cloud.until(lambda: len(serving(cloud)) == 3, "three replicas")
        cloud.until(lambda: len(load.answers) > 20)
    assert load.faults == []
    cloud.until(lambda: cloud.service()["wanted"] == 0, "rest again")


def halted(cloud, job):
    """Whether all processes of a replica are."""
    def state(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                return file.read().rsplit(") ", 1)[1][0]
        except OSError:
            return "gone"
    found = pids_of(cloud, job)
    return bool(found) and all(state(pid) == "T" for pid in found)


def test_a_frozen_replica_is_halted_kept_over_a_kill_and_answers_again(cloud):
    count = {"min": 0, "max": 1, "frozen": 1, "scale_down_after": "100ms"}
    cloud.apply(replicas=count)
    cloud.apply(wait=False, replicas={**count, "idle": "300ms"})
    cloud.until(lambda: halted(cloud, 1), "its being halted")
    service = cloud.service()
    assert (service["wanted"], service["ready"]) == (0, 0)
    assert service["replicas"][0]["phase"] == "frozen"
    cloud.kill()
    cloud.up()
    assert halted(cloud, 1)
    assert cloud.ask("/who") == (200, b"1.1:1"), "the same one, in the same attempt"
    cloud.until(lambda: halted(cloud, 1), "its being halted again")
    told = [one["event"] for one in cloud.json("service", "events", "web")["events"]]
    assert "replica_frozen" in told and "replica_thawed" in told
    cloud.apply(version="2", replicas=count)
    cloud.until(lambda: not pids_of(cloud, 1), "the end of the former revision")
    assert cloud.ask("/who")[1].endswith(b":2")


def test_requests_that_wait_too_long_get_more_replicas(cloud):
    cloud.apply(replicas={"min": 1, "max": 3, "target_queue_time": "300ms",
                          "scale_down_after": "500ms"}, requests={"in_flight_max": 1})
    with Load(cloud, clients=6, path="/slow?s=0.3") as load:
        cloud.until(lambda: cloud.service()["wanted"] == 3 and len(serving(cloud)) == 3,
                    "three replicas")
    assert load.faults == []
    cloud.until(lambda: cloud.service()["wanted"] == 1, "rest")
    assert cloud.service()["waited_ms"] == 0


def test_without_a_replica_a_request_waits_and_is_told_why_in_the_end(cloud):
    holder = cloud.run("--gpu", "4", "--", "sleep", "600")
    cloud.wait(holder, "running")
    cloud.apply(wait=False, requests={"queue": 1, "queue_timeout": "500ms"})
    status, body = cloud.ask("/who")
    assert status == 503 and "WaitingForTurn" in json.loads(body)["detail"]
    cloud.apply(wait=False, requests={"queue": 0})
    status, body = cloud.ask("/who")
    assert status == 503 and "wait already" in json.loads(body)["detail"]
    cloud.cli("stop", holder)
    cloud.until(lambda: cloud.service()["ready"] == 1, "its replica")
    assert cloud.ask("/who")[0] == 200


def test_a_server_that_was_killed_takes_its_replicas_over(cloud):
    cloud.apply(replicas=TWO)
    before = pids_of(cloud, 1)
    cloud.kill()
    cloud.up()
    assert cloud.service()["ready"] == 2
    assert cloud.until(lambda: cloud.ask("/who")[0] == 200)
    assert pids_of(cloud, 1) == before
    assert cloud.service()["revision"] == 1


def test_a_replica_that_is_dead_by_its_probe_is_started_anew(cloud):
    probes = {"startup": {"tcp": True, "period": "50ms", "failure_threshold": 1000},
              "readiness": {"http": "/health", "period": "100ms"},
              "liveness": {"http": "/alive", "period": "50ms", "failure_threshold": 2}}
    cloud.apply(probes=probes)
    assert cloud.ask("/stall")[0] == 200
    cloud.until(lambda: cloud.job(1)["attempt"] > 1, "its next life")
    cloud.until(lambda: cloud.service()["ready"] == 1, "its being ready again")
    assert cloud.ask("/who")[0] == 200
    # Other probes are no new revision, and are asked of the replicas that run.
    cloud.apply(probes={"readiness": {"http": "/alive", "period": "50ms"}})
    who = cloud.ask("/who")
    assert cloud.ask("/stall")[0] == 200
    cloud.until(lambda: cloud.service()["ready"] == 0, "its no longer being ready")
    cloud.apply(probes={"readiness": {"tcp": True}})
    assert cloud.service()["revision"] == 1
    assert cloud.ask("/who") == who


def test_its_metrics_are_told(cloud):
    cloud.apply()
    for _ in range(3):
        cloud.ask("/who")
    _, _, text = cloud.http("GET", "/metrics")
    text = text.decode()
    assert 'gyre_service_replicas{service="web",state="ready"} 1' in text
    assert 'gyre_service_requests_total{service="web",status="2xx"} 3' in text
    assert 'gyre_service_request_duration_seconds_count{service="web"} 3' in text
    assert 'gyre_service_ejections_total{service="web"} 0' in text
