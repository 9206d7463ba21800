"""`gyre exec` in processes of the node, and what its WebSocket lets nobody do."""
import base64
import os
import struct

import pytest

from cloud import PATIENCE_S, until
from exec_cases import *  # pylint: disable=wildcard-import,unused-wildcard-import
from exec_cases import WAITS, running

PROTOCOL = "v5.channel.k8s.io"


@pytest.fixture
def job_of(cloud):
    def make(script, wait=True, **spec):
        spec = {"command": ["sh", "-c", script], "retry": {"max": 0}, **spec}
        status, _, answer = cloud.http("POST", "/v1/jobs", spec)
        assert status == 201, answer
        if wait:
            cloud.wait(answer["id"], "running")
        return answer["id"]
    return make


class Socket:
    """A WebSocket client that says exactly what it is told to."""

    def __init__(self, cloud, path, **headers):
        names = {"Host": f"127.0.0.1:{cloud.port}", "Upgrade": "websocket", "Connection": "Upgrade",
                 "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": PROTOCOL,
                 "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode()}
        names.update({name.replace("_", "-"): value for name, value in headers.items()})
        lines = [f"GET {path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in names.items() if value]
        self.socket = cloud.raw(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.socket.settimeout(PATIENCE_S)
        self.head = b""
        while b"\r\n\r\n" not in self.head:
            piece = self.socket.recv(1)
            assert piece, self.head
            self.head += piece
        self.status = int(self.head.split()[1])

    def send(self, data, opcode=2, length=None):
        """One masked frame; `length` is what it claims to have."""
        length = len(data) if length is None else length
        head = bytes([0x80 | opcode])
        if length < 126:
            head += bytes([0x80 | length])
        elif length < 65536:
            head += bytes([0xfe]) + struct.pack(">H", length)
        else:
            head += bytes([0xff]) + struct.pack(">Q", length)
        mask = b"\1\2\3\4"
        self.socket.sendall(head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))

    def exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                return None
            data += piece
        return data

    def receive(self):
        """Opcode and content of the next frame; None at the end."""
        head = self.exactly(2)
        if head is None:
            return None
        length = head[1]
        if length == 126:
            length = struct.unpack(">H", self.exactly(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.exactly(8))[0]
        return head[0] & 15, self.exactly(length)


def test_frames_are_those_of_kubernetes(cloud, job_of):
    script = "cat%3B+echo+bad+%3E%262%3B+exit+4"
    path = f"/v1/jobs/{job_of(WAITS)}/exec?command=sh&command=-c&command={script}"
    one = Socket(cloud, path)
    assert one.status == 101 and f"Sec-WebSocket-Protocol: {PROTOCOL}".encode() in one.head
    one.send(b"\0hello")
    assert one.receive() == (2, b"\1hello")
    one.send(b"\0" + b"x" * 60_000)
    got = b""
    while len(got) < 60_000:
        got += one.receive()[1][1:]
    one.send(b"\xff\0")
    assert one.receive() == (2, b"\2bad\n")
    opcode, status = one.receive()
    assert (opcode, status[0]) == (2, 3)
    assert b'"reason":"NonZeroExitCode"' in status
    assert b'{"reason":"ExitCode","message":"4"}' in status
    assert one.receive() == (8, b"\x03\xe8")  # closed, 1000


@pytest.mark.parametrize("headers, status", [
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Host": "evil.example"}, 421),
    ({"Upgrade": None}, 426),
    ({"Connection": "keep-alive"}, 426),
    ({"Sec_WebSocket_Version": "8"}, 426),
    ({"Sec_WebSocket_Key": None}, 426),
    ({"Sec_WebSocket_Protocol": "chat"}, 400),
])
def test_who_may_not_gets_no_shell(cloud, job_of, headers, status):
    job = job_of(WAITS)
    path = f"/v1/jobs/{job}/exec?command=sleep&command=7661"
    assert Socket(cloud, path, **headers).status == status
    assert not running("^sleep 7661")


def test_a_page_of_the_servers_own_may(cloud, job_of):
    job = job_of(WAITS)
    origin = f"http://127.0.0.1:{cloud.port}"
    assert Socket(cloud, f"/v1/jobs/{job}/exec?command=true", Origin=origin).status == 101


@pytest.mark.parametrize("query, detail", [
    ("", b"'command': it is missing"),
    ("?command=", b"'command': it is missing"),
    ("?command=true&tty=yes", b"'yes' is neither 'true' nor 'false'"),
    ("?command=true&columns=65536", b"'65536' is no whole number from 0 to 65535"),
    ("?command=true&term=a%3Bb", b"it is no name of a terminal"),
    ("?comand=true", b"known are: command, rank"),
])
def test_a_wrong_query_is_told(cloud, job_of, query, detail):
    one = Socket(cloud, f"/v1/jobs/{job_of(WAITS)}/exec{query}")
    assert one.status == 400
    assert detail in one.socket.recv(65536)


@pytest.mark.parametrize("message", [
    {"data": b""}, {"data": b"\1output"}, {"data": b"\x09"}, {"data": b"\xff\1"}, {"data": b"\4{"},
    {"data": b'\4{"Width":1,"Height":70000}'}, {"data": b"\4[]"}, {"data": b"\0text", "opcode": 1},
    {"data": b"\0", "length": 1 << 40}, {"data": b"\0" * 70_000}, {"data": b"\0", "opcode": 5},
])
def test_a_client_that_breaks_the_protocol_is_closed_and_its_command_ended(cloud, job_of, message):
    one = Socket(cloud, f"/v1/jobs/{job_of(WAITS)}/exec?command=sleep&command=7662")
    assert one.status == 101
    until(lambda: running("^sleep 7662"), "it runs")
    one.send(**message)
    while (frame := one.receive()) is not None:
        if frame[0] == 8:
            break
    until(lambda: not running("^sleep 7662"), "it has ended")
    assert cloud.http("GET", "/readyz")[0] == 200


def test_the_server_can_be_stopped_while_a_command_runs(cloud, job_of):
    job = job_of(WAITS)
    client = cloud.start("exec", str(job), "--", "sh", "-c", "echo up; sleep 7663")
    assert client.stdout.readline() == "up\n"
    cloud.end()
    _, said = client.communicate(timeout=PATIENCE_S)
    assert client.returncode == 1 and "broke off" in said
    until(lambda: not running("^sleep 7663"), "it has ended")
