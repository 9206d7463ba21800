"""The HTTP edge: the description kept, hostile and slow clients, streams."""
import json
import os
import select
import socket

import pytest

from cloud import PATIENCE_S, read_to_end


@pytest.fixture
def described(cloud):
    """Asks, and holds every answer against the server's own description of itself."""
    jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is not installed")
    document = cloud.http("GET", "/openapi.json")[2]
    assert document["openapi"] == "3.1.0"

    def ask(method, path, template=None, body=None, **more):
        status, headers, content = cloud.http(method, path, body, **more)
        responses = document["paths"][template or path.split("?")[0]][method.lower()]["responses"]
        response = responses.get(str(status), responses.get("default"))
        assert response, f"{method} {path}: {status} is not described"
        if "$ref" in response:
            response = document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
        kind = headers["Content-Type"].split(";")[0]
        assert kind in response["content"], f"{method} {path}: {kind} is not described"
        schema = {**response["content"][kind]["schema"], "components": document["components"]}
        if kind.endswith("json"):
            jsonschema.Draft202012Validator(schema).validate(content)
        return status, content

    return ask


def test_a_last_chunk_may_come_byte_by_byte(cloud):
    head = ("POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            "Transfer-Encoding: chunked\r\n\r\n")
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=PATIENCE_S) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(head.encode())
        for byte in b"0\r\n\r\n":
            client.sendall(bytes([byte]))
            cloud.http("GET", "/v1/clock")  # the server has had the time to read it
        assert client.recv(4096).startswith(b"HTTP/1.1 4")
    assert cloud.process.poll() is None


def test_every_answer_is_as_described(cloud, described):
    spec = {"name": "a", "command": ["sh", "-c", "echo hello"], "resources": {"gpu": 1}}
    assert described("POST", "/v1/jobs", body=spec)[0] == 201
    assert described("POST", "/v1/jobs", body={"command": ["sleep", "1000"],
                                              "resources": {"gpu": 4}})[0] == 201
    described("POST", "/v1/jobs", body={"command": ["true"], "resources": {"gpu": "A100,H100:2"}})
    cloud.wait(1)
    job = "/v1/jobs/{id}"
    assert described("GET", "/v1/jobs?limit=2")[1]["next_cursor"] == "2"
    assert [entry["id"] for entry in described("GET", "/v1/jobs?cursor=2")[1]["jobs"]] == [1]
    assert described("GET", "/v1/jobs?state=succeeded")[1]["jobs"][0]["id"] == 1
    for number in (1, 2, 3):
        assert described("GET", f"/v1/jobs/{number}", job)[0] == 200
        assert described("GET", f"/v1/jobs/{number}/explanation", job + "/explanation")[0] == 200
        assert described("GET", f"/v1/jobs/{number}/explanation?outlook=true",
                         job + "/explanation")[0] == 200
    assert described("GET", "/v1/jobs/1/logs", job + "/logs") == (200, b"hello\n")
    assert described("GET", "/v1/jobs/1/logs?offset=3&stream=stdout", job + "/logs")[1] == b"lo\n"
    described("POST", "/v1/plans", body=spec)
    for path in ("/v1/nodes", "/v1/queues", "/v1/costs", "/v1/events", "/healthz", "/readyz",
                 "/openapi.json"):
        assert described("GET", path)[0] == 200
    assert described("POST", "/v1/jobs/2/actions", job + "/actions", {"action": "stop"})[0] == 202
    cloud.wait(2)
    assert described("POST", "/v1/jobs/2/actions", job + "/actions", {"action": "stop"})[0] == 409


def test_every_answer_about_money_is_as_described(cloud, described):
    prices = cloud.folder / "prices.yaml"
    prices.write_text("version: 1\ngpu_hour: {default: 2, H100: 3.5}\ncpu_hour: 0.01\n")
    cloud.end()
    cloud.up("--virtual-gpus", "4xH100:80GB", "--prices", str(prices))
    spec = {"command": ["sleep", "1000"], "resources": {"gpu": 2}}
    assert described("POST", "/v1/plans", body={**spec, "expected_duration": "2h"})[0] == 200
    assert described("POST", "/v1/jobs", body=spec)[0] == 201
    cloud.wait(1, "running")
    for by in ("job", "tenant", "queue"):
        assert described("GET", f"/v1/costs?by={by}&window=7d&limit=5")[0] == 200
    for path in ("/v1/jobs", "/v1/overview", "/v1/queues"):
        assert described("GET", path)[0] == 200
    assert described("GET", "/v1/jobs/1", "/v1/jobs/{id}")[0] == 200
    assert described("GET", "/v1/jobs/1/explanation", "/v1/jobs/{id}/explanation")[0] == 200


ACTIONS = "/v1/jobs/{id}/actions"


@pytest.mark.parametrize("method, path, template, body, status, kind", [
    ("GET", "/v1/jobs/77", "/v1/jobs/{id}", None, 404, "not-found"),
    ("GET", "/v1/jobs/x", "/v1/jobs/{id}", None, 404, "not-found"),
    ("GET", "/v1/jobs/77/logs", "/v1/jobs/{id}/logs", None, 404, "not-found"),
    ("GET", "/v1/jobs/77/logs?follow=true", "/v1/jobs/{id}/logs", None, 404, "not-found"),
    ("GET", "/v1/jobs/1/logs?stream=x", "/v1/jobs/{id}/logs", None, 400, "bad-parameter"),
    ("GET", "/v1/jobs?limit=0", None, None, 400, "bad-parameter"),
    ("GET", "/v1/jobs?limit=1001", None, None, 400, "bad-parameter"),
    ("GET", "/v1/jobs?limit=x", None, None, 400, "bad-parameter"),
    ("GET", "/v1/jobs?state=qeued", None, None, 400, "bad-parameter"),
    ("GET", "/v1/jobs?stat=queued", None, None, 400, "unknown-parameter"),
    ("GET", "/v1/events?cursor=x", None, None, 400, "bad-parameter"),
    ("GET", "/v1/events?follow=maybe", None, None, 400, "bad-parameter"),
    ("POST", "/v1/jobs", None, "{", 422, "invalid-job-spec"),
    ("POST", "/v1/jobs", None, "[]", 422, "invalid-job-spec"),
    ("POST", "/v1/jobs", None, {"command": ["x"], "pirority": 1}, 422, "invalid-job-spec"),
    ("POST", "/v1/jobs", None, {"command": ["x"], "resources": {"gpu": 9}}, 422, "never-fits"),
    ("POST", "/v1/jobs", None, {"command": ["x"], "queue": "nope"}, 422, "invalid"),
    ("POST", "/v1/plans", None, {"command": ["x"], "resources": {"gpu": 9}}, 422, "never-fits"),
    ("POST", "/v1/jobs/1/actions", ACTIONS, {"action": "go"}, 422, "invalid-action"),
    ("POST", "/v1/jobs/77/actions", ACTIONS, {"action": "stop"}, 404, "not-found"),
])
def test_every_problem_is_as_described(described, method, path, template, body, status, kind):
    got, problem = described(method, path, template, body)
    assert (got, problem["type"]) == (status, f"/problems/{kind}")
    assert problem["status"] == status and problem["detail"]


def test_problems_point_and_suggest(cloud):
    body = {"command": ["x"], "pirority": 1, "resources": {"memory": "16XB"}}
    problem = cloud.http("POST", "/v1/jobs", body)[2]
    pointers = {error["pointer"]: error.get("suggestion") for error in problem["errors"]}
    assert pointers["/pirority"] == "priority"
    assert "/resources/memory" in pointers
    problem = cloud.http("GET", "/v1/jobs?stat=queued")[2]
    assert problem["errors"] == [{"pointer": "query:stat", "suggestion": "state",
                                  "detail": "there is no such parameter here"}]


def test_paths_and_methods(cloud):
    assert cloud.http("GET", "/v2/jobs")[0] == 404
    assert cloud.http("GET", "/v1/jobs/")[0] == 404
    assert cloud.http("GET", "/../etc/passwd")[0] == 404
    status, headers, _ = cloud.http("DELETE", "/v1/jobs/1")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    status, headers, _ = cloud.http("PUT", "/v1/jobs")
    assert status == 405 and "POST" in headers["Allow"]
    status, headers, body = cloud.http("HEAD", "/v1/nodes")
    assert status == 200 and int(headers["Content-Length"]) > 2 and not body


def test_a_submission_key_makes_one_job(cloud):
    headers = {"Content-Type": "application/json", "Idempotency-Key": "again"}
    answers = [cloud.http("POST", "/v1/jobs", {"command": ["true"]}, headers) for _ in range(3)]
    assert {answer[2]["id"] for answer in answers} == {1}
    assert answers[0][1]["Location"] == "/v1/jobs/1"
    yaml_headers = {"Content-Type": "application/yaml"}
    assert cloud.http("POST", "/v1/jobs", "command: 'true'\n", yaml_headers)[2] == {"id": 2}


@pytest.mark.parametrize("headers, status", [
    ({"Host": "evil.example"}, 421),
    ({"Host": "evil.example:8642"}, 421),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
])
def test_pages_of_other_origins_are_kept_out(cloud, headers, status):
    assert cloud.http("GET", "/v1/jobs", None, headers)[0] == status
    headers = {**headers, "Content-Type": "application/json"}
    assert cloud.http("POST", "/v1/jobs", {"command": ["true"]}, headers)[0] == status
    assert cloud.json("ps", "-a") == {"jobs": []}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_form_cannot_submit(cloud, kind):
    assert cloud.http("POST", "/v1/jobs", {"command": ["true"]}, {"Content-Type": kind})[0] == 415


def test_another_user_is_kept_out(cloud, program):
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    pid = os.fork()
    if pid == 0:
        # The child speaks as nobody and tells by its exit code what it got.
        try:
            os.setgid(65534)
            os.setuid(65534)
            answer = read_to_end(cloud.raw(
                b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
            refused = b"403 Forbidden" in answer and b"not-your-server" in answer
            sneak = cloud.raw(b"")  # who sends and closes at once must not pass as root
            sneak.sendall(b'POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n'
                          b'Content-Type: application/json\r\n\r\n{"command":["true"]}')
            sneak.close()
            os._exit(0 if refused else 1)
        finally:
            os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0
    assert cloud.json("ps", "-a") == {"jobs": []}


def test_connections_of_another_user_take_no_room(cloud):
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    held, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        # Nobody has the first bytes of requests under way; beyond some it is refused at once.
        try:
            os.close(go[1])
            os.setgid(65534)
            os.setuid(65534)
            clients = {client.fileno(): client for client in (cloud.raw(b"G") for _ in range(100))}
            answered = select.poll()
            for client in clients:
                answered.register(client, select.POLLIN)
            refused = []
            while len(refused) < 30:
                for client, _ in answered.poll():
                    answered.unregister(client)
                    refused.append(clients[client].recv(4096).startswith(b"HTTP/1.1 403 "))
            os.write(held[1], b"1" if all(refused) else b"0")
            os.read(go[0], 1)
            os._exit(0)
        finally:
            os.write(held[1], b"x")
            os._exit(2)
    try:
        assert os.read(held[0], 1) == b"1"
        assert cloud.http("GET", "/readyz")[0] == 200
    finally:
        os.close(go[1])
    assert os.waitpid(pid, 0)[1] == 0


def test_oversize_is_refused_and_the_server_lives(cloud):
    status, _, problem = cloud.http("POST", "/v1/jobs", json.dumps(
        {"command": ["x" * 2_000_000]}))
    assert (status, problem["type"]) == (413, "/problems/too-large")
    answer = read_to_end(cloud.raw(b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"))
    assert b" 431 " in answer.split(b"\r\n")[0]
    answer = read_to_end(cloud.raw(b"nonsense\r\n\r\n"))
    assert b" 400 " in answer.split(b"\r\n")[0]
    assert cloud.http("GET", "/readyz")[0] == 200


def test_a_slow_request_ends_and_others_go_on(cloud):
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Le"
    slow = [cloud.raw(head) for _ in range(50)]
    assert cloud.http("GET", "/readyz")[0] == 200
    answers = [read_to_end(connection) for connection in slow]
    assert all(b" 408 " in answer for answer in answers)
    assert cloud.http("GET", "/readyz")[0] == 200


def test_expect_continue_and_pipelining(cloud):
    body = b'{"command":["true"]}'
    head = (b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n" % len(body))
    connection = cloud.raw(head + b"Expect: 100-continue\r\n\r\n")
    assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
    connection.sendall(body + head + b"\r\n" + body + head + b"Connection: close\r\n\r\n" + body)
    answer = read_to_end(connection)
    parts = answer.split(b'{"id":')[1:]
    assert [part[:8] for part in parts] == [b"1}\nHTTP/", b"2}\nHTTP/", b"3}\n"]


def events_of(connection, count):
    """The first events of a stream, as dictionaries."""
    file = connection.makefile("rb")
    assert b" 200 " in file.readline()
    found, event = [], {}
    while len(found) < count:
        line = file.readline()
        assert line, "the stream ended"
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name in ("id", "event", "data"):
            event[name] = value
        elif line == b"\n" and event:
            found.append(event)
            event = {}
    file.close()
    return found


STREAM = "GET {} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{}\r\n"


def test_the_event_stream_resumes_where_it_stopped(cloud):
    stream = cloud.raw(STREAM.format("/v1/events", "").encode())
    stream.recv(10, socket.MSG_PEEK)  # it is open
    cloud.cli("run", "--", "true")
    first = events_of(stream, 2)
    stream.close()
    assert json.loads(first[0]["data"])["to"] == "queued"
    stream = cloud.raw(STREAM.format("/v1/events", f"Last-Event-ID: {first[0]['id']}\r\n").encode())
    assert events_of(stream, 3)[0] == first[1]
    stream.close()
    stream = cloud.raw(STREAM.format("/v1/events", "Last-Event-ID: 0.0\r\n").encode())
    assert events_of(stream, 2)[0]["event"] in ("missed", "job")
    stream.close()


def test_the_log_stream_resumes_where_it_stopped(cloud):
    job = cloud.run("--", "sh", "-c", "echo hello; sleep 1000")
    cloud.wait(job, "running")
    stream = cloud.raw(STREAM.format(f"/v1/jobs/{job}/logs?follow=true", "").encode())
    (event,) = events_of(stream, 1)
    stream.close()
    assert json.loads(event["data"])["text"] == "hello\n" and event["id"] == "1.6"
    cloud.cli("stop", job)
    stream = cloud.raw(STREAM.format(f"/v1/jobs/{job}/logs?follow=true",
                                     "Last-Event-ID: 1.3\r\n").encode())
    rest, end = events_of(stream, 2)
    stream.close()
    assert json.loads(rest["data"])["text"] == "lo\n" and end["event"] == "end"


def test_a_log_is_searched_from_its_beginning_to_its_end(cloud):
    job = cloud.run("--", "sh", "-c", "echo A Needle; seq 200000; printf 'the last needle'")
    cloud.wait(job, "succeeded")
    stream = cloud.raw(STREAM.format(f"/v1/jobs/{job}/logs/search?text=NEEDLE", "").encode())
    first, last, end = events_of(stream, 3)
    stream.close()
    assert json.loads(first["data"]) == {"offset": 0, "text": "A Needle"}
    assert json.loads(last["data"])["text"] == "the last needle"
    size = json.loads(last["data"])["offset"] + len("the last needle")
    assert end["event"] == "end" and json.loads(end["data"]) == {
        "attempt": 1, "searched": size, "size": size, "dropped": 0, "more": False}
    for query, what in (("", "text"), ("?text=", "text"), ("?text=a%0Ab", "text"),
                        (f"?text={'x' * 257}", "text"), ("?text=a&limit=10001", "limit"),
                        ("?text=a&stream=both", "stream"), ("?text=a&rank=x", "rank")):
        status, _, problem = cloud.http("GET", f"/v1/jobs/{job}/logs/search{query}")
        assert status == 400 and f"'{what}'" in problem["detail"], query
    assert cloud.http("GET", f"/v1/jobs/{job}/logs/search?text=a&rank=7")[0] == 404
    assert cloud.http("GET", "/v1/jobs/999/logs/search?text=a")[0] == 404


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def test_clients_that_vanish_leave_nothing(cloud):
    cloud.http("GET", "/readyz")
    before = descriptors(cloud.process)
    for _ in range(50):
        stream = cloud.raw(STREAM.format("/v1/events", "").encode())
        stream.recv(10)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        stream.close()  # a reset, in the middle of the stream
        cloud.raw(b"GET /v1/jobs HTTP/1.1\r\nHost: loc").close()
    cloud.cli("run", "--", "true")
    import time
    deadline = time.monotonic() + PATIENCE_S
    while descriptors(cloud.process) > before + 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert descriptors(cloud.process) <= before + 2


def test_streams_end_with_the_server(cloud):
    stream = cloud.raw(STREAM.format("/v1/events", "").encode())
    stream.recv(10, socket.MSG_PEEK)
    cloud.end()
    assert read_to_end(stream).endswith(b"0\r\n\r\n")
