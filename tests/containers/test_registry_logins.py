"""Images from Debian's registry where it asks for a login: Basic, and a token server's."""
import base64
import crypt
import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

import images
from cloud import until
from container_jobs import log, submit
from test_images import push, refused, wait_for_port

PASSWORD = "open:sesame-Zq7"  # found nowhere but in the login's file


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Registry:
    """docker-registry on a storage of its own; `auth` is its configuration's."""

    def __init__(self, folder):
        self.program = shutil.which("docker-registry")
        if self.program is None:
            pytest.skip("there is no docker-registry")
        self.folder = folder
        self.process = None

    def start(self, auth, port=None):
        self.end()
        port = port or free_port()
        config = self.folder / "registry.yml"
        config.write_text(json.dumps({
            "version": 0.1, "storage": {"filesystem": {"rootdirectory": f"{self.folder}/store"}},
            "http": {"addr": f"127.0.0.1:{port}"}, "log": {"level": "error"},
            **({"auth": auth} if auth else {})}))
        self.process = subprocess.Popen([self.program, "serve", str(config)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(port)
        self.name = f"127.0.0.1:{port}"
        return self

    def end(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None


class TokenServer(http.server.ThreadingHTTPServer):
    """Gives tokens to who knows the name and password (Docker Registry v2 authentication)."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), TokenHandler)
        self.asked = []  # who came: the name, or nobody
        self.key, self.certificate = folder / "key.pem", folder / "token.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=tokens", "-keyout", self.key, "-out", self.certificate],
                       check=True, capture_output=True)
        self.der = subprocess.run(["openssl", "x509", "-in", self.certificate, "-outform", "DER"],
                                  check=True, capture_output=True).stdout

    def token(self, user, scope):
        def part(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")
        kind, name, actions = scope.split(":")
        now = int(time.time())
        head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(self.der).decode()]}
        body = {"iss": "tests", "sub": user, "aud": "registry", "exp": now + 300, "nbf": now - 10,
                "iat": now, "jti": "1",
                "access": [{"type": kind, "name": name, "actions": actions.split(",")}]}
        text = part(json.dumps(head).encode()) + b"." + part(json.dumps(body).encode())
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text,
                                check=True, capture_output=True).stdout
        return (text + b"." + part(signed)).decode()


class TokenHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        shown = self.headers.get("Authorization", "")
        right = "Basic " + base64.b64encode(f"team:{PASSWORD}".encode()).decode()
        self.server.asked.append(shown)
        if shown != right:
            self.send_response(401)
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(
            {"token": self.server.token("team", query["scope"][0])}).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def registry(tmp_path):
    """One that lets everybody in, with team/busybox:1; tests start it anew as they like it."""
    folder = tmp_path / "registry"
    folder.mkdir()
    one = Registry(folder).start(None)
    one.digest = push(one.name, images.busybox(tmp_path / "layout"), "team/busybox", "1")
    yield one
    one.end()


@pytest.fixture
def basic(registry):
    users = registry.folder / "htpasswd"
    users.write_text(f"team:{crypt.crypt(PASSWORD, crypt.mksalt(crypt.METHOD_BLOWFISH))}\n")
    return registry.start({"htpasswd": {"realm": "team", "path": str(users)}})


def write_login(cloud, registry, password=PASSWORD, user="team"):
    both = base64.b64encode(f"{user}:{password}".encode()).decode()
    file = cloud.state / "registry-logins.json"
    file.write_text(json.dumps({"auths": {registry: {"auth": both}}}))
    file.chmod(0o600)
    return file


def runs(cloud, image):
    job = submit(cloud, image, "echo hello", retry={"max": 0})
    assert cloud.wait(job)["state"] == "succeeded", cloud.job(job)
    assert log(cloud, job) == "hello\n"


def test_a_name_and_password(cloud, basic):
    image = f"{basic.name}/team/busybox:1"
    assert "asks for a name and password" in refused(cloud, image)
    write_login(cloud, basic.name)
    runs(cloud, image)
    runs(cloud, f"{basic.name}/team/busybox@{basic.digest}")


def test_a_login_that_is_wrong_is_said_without_telling_it(cloud, basic):
    image = f"{basic.name}/team/busybox:1"
    write_login(cloud, basic.name, password="wrong-Zq8")
    said = refused(cloud, image)
    assert "does not give the node's login" in said and "Zq8" not in said
    write_login(cloud, "other.example:5000")
    assert "asks for a name and password" in refused(cloud, image), "it is another registry's"
    write_login(cloud, basic.name).chmod(0o644)
    assert "chmod 600" in refused(cloud, image)
    write_login(cloud, basic.name).write_text("{")
    assert "is not as 'podman login --authfile' writes it" in refused(cloud, image)
    write_login(cloud, basic.name)
    runs(cloud, image)


def test_a_token_servers_login(cloud, registry):
    tokens = TokenServer(registry.folder)
    threading.Thread(target=tokens.serve_forever, daemon=True).start()
    try:
        registry.start({"token": {"realm": f"http://127.0.0.1:{tokens.server_port}/token",
                                  "service": "registry", "issuer": "tests",
                                  "rootcertbundle": str(tokens.certificate)}})
        image = f"{registry.name}/team/busybox:1"
        assert "gives no token without a name and password" in refused(cloud, image)
        assert tokens.asked and not any(tokens.asked), "nobody's password is shown"
        write_login(cloud, registry.name, password="wrong")
        assert "the name or the password is wrong" in refused(cloud, image)
        write_login(cloud, registry.name)
        runs(cloud, image)
    finally:
        tokens.shutdown()
        tokens.server_close()


def assert_untold(cloud, job, file):
    """That the password is in no answer, log, argument list or file but its own."""
    forms = [PASSWORD.encode(), base64.b64encode(f"team:{PASSWORD}".encode())]
    shown = [json.dumps(cloud.job(job)).encode(), log(cloud, job).encode(), cloud.said.encode(),
             json.dumps(cloud.json("nodes")).encode(),
             cloud.http("GET", f"/v1/jobs/{job}/spec")[2]]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                shown.append(line.read())
        except OSError:
            continue
    for folder, _, names in os.walk(cloud.state):
        for name in names:
            path = os.path.join(folder, name)
            if path != str(file) and os.path.isfile(path):
                with open(path, "rb") as content:
                    shown.append(content.read())
    shown = [text if isinstance(text, bytes) else json.dumps(text).encode() for text in shown]
    assert not [text for text in shown for form in forms if form in text]


def test_the_password_is_nowhere_but_in_its_file(cloud, basic):
    login = write_login(cloud, basic.name)
    job = submit(cloud, f"{basic.name}/team/busybox:1",
                 "env; cat /run/secrets/* /proc/*/environ /proc/*/cmdline; sleep 1000")
    cloud.wait(job, "running")
    assert_untold(cloud, job, login)
    cloud.cli("stop", job)


# --- a job's own ----------------------------------------------------------------------------------

def write_secret(cloud, name, registry, password=PASSWORD):
    folder = cloud.state / "secrets"
    folder.mkdir(exist_ok=True)
    both = base64.b64encode(f"team:{password}".encode()).decode()
    (folder / name).write_text(json.dumps({"auths": {registry: {"auth": both}}}))
    (folder / name).chmod(0o600)
    return folder / name


def refused_with(cloud, image, **spec):
    job = submit(cloud, image, "true", retry={"max": 0}, **spec)
    ended = cloud.wait(job)
    assert ended["state"] == "failed" and ended["exit"]["kind"] == "start_failed", ended
    return ended["reason_detail"]


def test_what_a_jobs_own_login_opens_is_open_to_that_login_alone(cloud, basic):
    image = f"{basic.name}/team/busybox:1"
    pinned = f"{basic.name}/team/busybox@{basic.digest}"
    write_secret(cloud, "pull.json", basic.name)
    for name in (image, pinned):
        job = submit(cloud, name, "echo hello", registry_login="pull.json", retry={"max": 0})
        assert cloud.wait(job)["state"] == "succeeded", cloud.job(job)
        assert log(cloud, job) == "hello\n"
    until(lambda: [one["reference"] for one in cloud.json("image", "ls")["images"]] ==
          [image, pinned], "the node tells what it holds")
    for name in (image, pinned):
        assert "asks for a name and password" in refused(cloud, name), "the node holds it"
    write_secret(cloud, "wrong.json", basic.name, password="wrong-Zq8")
    for name in (image, pinned):
        said = refused_with(cloud, name, registry_login="wrong.json")
        assert "does not give the job's login" in said and "Zq8" not in said
    basic.end()
    assert "did not deliver" in refused_with(cloud, pinned, registry_login="pull.json"), (
        "nobody can say whether it still may have it")


def test_a_jobs_login_that_is_of_no_use_is_said(cloud, basic):
    image = f"{basic.name}/team/busybox:1"
    write_login(cloud, basic.name)
    assert "there is no secret 'pull.json' on this node" in refused_with(
        cloud, image, registry_login="pull.json")
    write_secret(cloud, "pull.json", "other.example:5000")
    assert "the job's registry login has none for" in refused_with(
        cloud, image, registry_login="pull.json"), "the node's is not tried"
    (cloud.state / "secrets/pull.json").write_text("{")
    assert "is not as 'podman login --authfile' writes it" in refused_with(
        cloud, image, registry_login="pull.json")
    said = cloud.http("POST", "/v1/jobs", {"command": "x", "registry_login": "pull.json"})
    assert said[0] == 422, said


class Gossip(http.server.BaseHTTPRequestHandler):
    """Has heard of an image's digests, and nothing more."""

    def do_GET(self):
        name = self.path.rsplit("/", 1)[1]
        data = self.server.known.get(name)
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        self.wfile.write(data or b"")

    def log_message(self, *_):
        pass


def test_who_has_heard_of_a_layers_digest_does_not_get_it(cloud, basic, tmp_path):
    layout = tmp_path / "layout/blobs/sha256"
    documents = {f"sha256:{blob.name}": blob.read_bytes() for blob in layout.iterdir()
                 if blob.stat().st_size < 10_000}
    write_secret(cloud, "pull.json", basic.name)
    job = submit(cloud, f"{basic.name}/team/busybox:1", "true", registry_login="pull.json")
    assert cloud.wait(job)["state"] == "succeeded", cloud.job(job)
    gossip = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gossip)
    gossip.known = {**documents, "1": documents[basic.digest]}
    threading.Thread(target=gossip.serve_forever, daemon=True).start()
    try:
        image = f"127.0.0.1:{gossip.server_port}/x/y:1"
        assert "has no blobs/sha256:" in refused(cloud, image)
        write_secret(cloud, "gossip.json", f"127.0.0.1:{gossip.server_port}")
        assert "has no blobs/sha256:" in refused_with(cloud, image, registry_login="gossip.json")
    finally:
        gossip.shutdown()
        gossip.server_close()


def test_a_jobs_password_is_nowhere_but_in_its_secret(cloud, basic):
    secret = write_secret(cloud, "pull.json", basic.name)
    job = submit(cloud, f"{basic.name}/team/busybox:1",
                 "env; cat /run/secrets/* /proc/*/environ /proc/*/cmdline; sleep 1000",
                 registry_login="pull.json")
    assert cloud.wait(job, "running", "failed")["state"] == "running", cloud.job(job)
    assert_untold(cloud, job, secret)
    assert b"registry_login: pull.json" in cloud.http(
        "GET", f"/v1/jobs/{job}/spec", headers={"Accept": "application/yaml"})[2]
    cloud.cli("stop", job)
