"""Services by HTTPS, asked by the programs that people have, and by those that misbehave."""
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess

import pytest

from cloud import PATIENCE_S
from serving import Load, Services, end


def make_pair(folder, name="localhost", key="key.pem", certificate="cert.pem"):
    """A certificate for that name that signs itself, moved into place as a whole."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "new.key", "-out",
                    folder / "new.pem", "-days", "30", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name}"], check=True, capture_output=True)
    (folder / "new.key").rename(folder / key)
    (folder / "new.pem").rename(folder / certificate)


class Secure(Services):
    """Its clients speak HTTPS and trust no other certificate."""

    def up(self, *options, port=0):
        super(Services, self).up(*options, port=port)
        self.services_port = int(re.search(r"services at https://[^:]+:(\d+)/", self.said)[1])
        return self

    def connect(self):
        context = ssl.create_default_context(cafile=self.folder / "cert.pem")
        return http.client.HTTPSConnection("localhost", self.services_port, timeout=PATIENCE_S,
                                           context=context)


@pytest.fixture
def secure(gyre, tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("the program openssl makes the certificates")
    make_pair(tmp_path)
    one = Secure(gyre, tmp_path)
    one.up("--virtual-gpus", "4xH100:80GB", "--services-certificate", tmp_path / "cert.pem",
           "--services-key", tmp_path / "key.pem")
    yield one
    end(one)


def test_requests_bodies_and_streams_pass(secure):
    url = secure.apply().stdout.strip()
    assert url == f"https://127.0.0.1:{secure.services_port}/services/web/"
    assert secure.ask("/who") == (200, b"1.1:1")
    big = bytes(range(256)) * 20_000
    assert secure.ask("/echo", "POST", big) == (200, big)
    connection = secure.connect()
    connection.request("GET", "/services/web/headers")
    seen = {name.lower(): value for name, value in json.loads(connection.getresponse().read())}
    assert seen["x-forwarded-proto"] == "https"
    connection.request("GET", "/services/web/events")
    response = connection.getresponse()
    assert response.readline() == b"data: one\n"
    secure.ask("/open")
    assert response.read().endswith(b"data: two\n\n")
    connection.request("DELETE", "/services/web/x", headers={
        "Origin": f"https://localhost:{secure.services_port}"})
    assert connection.getresponse().read() is not None
    connection.close()


def test_another_protocol_is_passed_through(secure):
    secure.apply()
    context = ssl.create_default_context(cafile=secure.folder / "cert.pem")
    with socket.create_connection(("127.0.0.1", secure.services_port), PATIENCE_S) as raw, \
            context.wrap_socket(raw, server_hostname="localhost") as client:
        client.sendall(b"GET /services/web/echo-socket HTTP/1.1\r\nHost: localhost\r\n"
                       b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        assert head.startswith(b"HTTP/1.1 101 ")
        for word in (b"hello", b"x" * 100_000):
            client.sendall(word)
            heard = b""
            while len(heard.replace(b"<", b"").replace(b">", b"")) < len(word):
                heard += client.recv(65536)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl(secure):
    secure.apply()
    url = f"https://localhost:{secure.services_port}/services/web/who"

    def curl(*words):
        return subprocess.run(["curl", "-sS", "--cacert", secure.folder / "cert.pem", *words],
                              capture_output=True, text=True, check=False, timeout=PATIENCE_S)

    assert curl(url).stdout == "1.1:1"
    assert curl("--tlsv1.2", "--tls-max", "1.2", url).stdout == "1.1:1"
    assert curl("--tls-max", "1.1", url).returncode != 0
    assert "HTTP/1.1 200" in curl("--http2", "-i", url).stdout
    plain = curl("-i", url.replace("https", "http"))
    assert "HTTP/1.1 400" in plain.stdout and "speaks HTTPS" in plain.stdout


def test_openssl_client(secure):
    def client(*words):
        return subprocess.run(["openssl", "s_client", "-servername", "localhost",
                               "-connect", f"127.0.0.1:{secure.services_port}",
                               "-CAfile", secure.folder / "cert.pem", *words], input="",
                              capture_output=True, text=True, check=False, timeout=PATIENCE_S)

    said = client("-alpn", "h2,http/1.1").stdout
    assert "TLSv1.3" in said and "ALPN protocol: http/1.1" in said
    assert "Verify return code: 0 (ok)" in said
    assert "TLSv1.2" in client("-tls1_2").stdout
    assert client("-tls1_1").returncode != 0


def test_who_misbehaves_costs_nobody_else_anything(secure):
    secure.apply()
    address = ("127.0.0.1", secure.services_port)
    half = [socket.create_connection(address, PATIENCE_S) for _ in range(50)]
    for number, one in enumerate(half):
        one.sendall(b"\x16\x03\x01\x02\x00\x01\x00"[:number % 8])  # a handshake that stops
    garbage = socket.create_connection(address, PATIENCE_S)
    garbage.sendall(b"\x80\xff" * 500)
    try:
        while garbage.recv(4096):
            pass
    except ConnectionResetError:
        pass
    with Load(secure, clients=2) as load:
        secure.until(lambda: len(load.answers) > 50)
    assert load.faults == []
    assert half[20].recv(4096) == b"", "who does not get on is let go within ten seconds"
    for one in [*half, garbage]:
        one.close()


def test_a_new_certificate_is_served_without_a_break(secure):
    secure.apply()
    before = ssl.get_server_certificate(("127.0.0.1", secure.services_port))
    with Load(secure, clients=2) as load:
        secure.until(lambda: len(load.answers) > 20)
        make_pair(secure.folder)
        after = (secure.folder / "cert.pem").read_text()
        served = lambda: ssl.get_server_certificate(("127.0.0.1", secure.services_port))
        secure.until(lambda: served() == after, "the new certificate")
        count = len(load.answers)
        secure.until(lambda: len(load.answers) > count + 20)
    assert load.faults == [] and before != after
    (secure.folder / "cert.pem").write_text("rubbish")
    secure.hears("the one before goes on being served")
    assert served() == after


def test_each_name_has_its_own_certificate(secure):
    secure.end()
    make_pair(secure.folder, "chat.example", "chat.key", "chat.pem")
    secure.up("--virtual-gpus", "4xH100:80GB",
              "--services-certificate", secure.folder / "cert.pem",
              "--services-key", secure.folder / "key.pem",
              "--services-certificate", secure.folder / "chat.pem",
              "--services-key", secure.folder / "chat.key")
    secure.apply()
    for name, file in (("localhost", "cert.pem"), ("chat.example", "chat.pem")):
        context = ssl.create_default_context(cafile=secure.folder / file)
        with socket.create_connection(("127.0.0.1", secure.services_port), PATIENCE_S) as raw, \
                context.wrap_socket(raw, server_hostname=name) as client:
            client.sendall(f"GET /services/web/who HTTP/1.1\r\nHost: {name}\r\n"
                           "Connection: close\r\n\r\n".encode())
            said = b""
            while piece := client.recv(4096):
                said += piece
            assert said.startswith(b"HTTP/1.1 200 ") and said.endswith(b"1.1:1"), said


def test_files_that_are_of_no_use_are_named(gyre, tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("the program openssl makes the certificates")
    make_pair(tmp_path)

    def refused(*options):
        return subprocess.run([gyre, "up", "--listen", "0", "--state", tmp_path / "state",
                               "--virtual-gpus", "1xH100:80GB", *options], capture_output=True,
                              text=True, check=False, timeout=PATIENCE_S)

    one = refused("--services-certificate", tmp_path / "cert.pem")
    assert one.returncode == 2 and "--services-key" in one.stderr
    one = refused("--services-certificate", tmp_path / "cert.pem", "--services-key",
                  tmp_path / "key.pem", "--services-certificate", tmp_path / "cert.pem")
    assert one.returncode == 2 and "certificates: 2, keys: 1" in one.stderr
    one = refused("--services-certificate", tmp_path / "none.pem", "--services-key",
                  tmp_path / "key.pem")
    assert one.returncode == 2 and "none.pem cannot be read" in one.stderr
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", tmp_path / "other.key"],
                   check=True, capture_output=True)
    one = refused("--services-certificate", tmp_path / "cert.pem", "--services-key",
                  tmp_path / "other.key")
    assert one.returncode == 2 and "not that of the certificate" in one.stderr
