"""Images that lie or break rules, from folders, archives and registries."""
import hashlib
import http.client
import http.server
import shutil
import socket
import subprocess
import tarfile
import threading
import time

import pytest

import images
from cloud import PATIENCE_S
from container_jobs import log, submit


def refused(cloud, image):
    """Why a job in that image cannot start."""
    job = submit(cloud, str(image), "true", retry={"max": 0})
    ended = cloud.wait(job)
    assert ended["state"] == "failed" and ended["exit"]["kind"] == "start_failed", ended
    return ended["reason_detail"]


@pytest.mark.parametrize("members, why", [
    ([images.member("../evil", b"x")], "leads out of the image"),
    ([images.member("/evil", b"x")], "is an absolute name"),
    ([images.member("dev", kind=tarfile.CHRTYPE, devmajor=1, devminor=3)], "device node"),
    ([images.member("hard", kind=tarfile.LNKTYPE, link="../../etc/passwd")], "hard link"),
    ([images.member("zeros", b"\0" * (300 << 20))], "bomb"),
], ids=["traversal", "absolute", "device", "hard-link", "bomb"])
def test_layers_that_break_rules(cloud, tmp_path, members, why):
    layout = images.Layout(tmp_path / "layout")
    layout.add([images.layer(*members)])
    assert why in refused(cloud, layout.folder)
    assert not list((cloud.state / "images/layers").iterdir())


def test_a_layer_that_was_changed(cloud, tmp_path):
    layout = images.busybox(tmp_path / "layout")
    for blob in (layout.folder / "blobs/sha256").iterdir():
        if blob.stat().st_size > 100_000:
            blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    assert "it was damaged or replaced" in refused(cloud, layout.folder)


def test_a_manifest_that_was_changed(cloud, tmp_path):
    layout = images.busybox(tmp_path / "layout")
    blob = layout.folder / "blobs/sha256" / layout.manifests[0]["digest"][7:]
    blob.write_bytes(blob.read_bytes() + b" ")
    assert "it was damaged or replaced" in refused(cloud, layout.folder)


def test_documents_that_are_none(cloud, tmp_path):
    layout = images.busybox(tmp_path / "layout")
    for text, why in [("", "no JSON object"), ("[" * 5000, "nested too deeply"),
                      ('{"manifests":[]}', "lists no image")]:
        (layout.folder / "index.json").write_text(text)
        assert why in refused(cloud, layout.folder)


def test_an_image_for_another_machine(cloud, tmp_path):
    layout = images.Layout(tmp_path / "layout")
    layout.add([images.busybox_layer()], platform_of="s390x")
    layout.add([images.busybox_layer()], platform_of="riscv64", Cmd=["x"])
    assert "none of its images" in refused(cloud, layout.folder)


def test_layers_are_unpacked_once(cloud, tmp_path):
    layer = images.busybox_layer()
    for name in ("one", "two"):
        layout = images.Layout(tmp_path / name)
        layout.add([layer], Cmd=["echo", name])
        job = submit(cloud, str(layout.folder), ["true"])
        assert cloud.wait(job)["state"] == "succeeded"
    layers = [path for path in (cloud.state / "images/layers").iterdir() if path.is_dir()]
    assert [path.name for path in layers] == [hashlib.sha256(layer).hexdigest()]


# --- registries -----------------------------------------------------------------------------------

@pytest.fixture
def registry(tmp_path):
    """Debian's registry on a port of its own, with the image 'busybox:1' in it."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("there is no docker-registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "registry.yml"
    config.write_text("version: 0.1\n"
                      f"storage: {{filesystem: {{rootdirectory: {tmp_path}/store}}}}\n"
                      f"http: {{addr: '127.0.0.1:{port}'}}\nlog: {{level: error}}\n")
    process = subprocess.Popen([program, "serve", str(config)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    wait_for_port(port)
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait()


def wait_for_port(port):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def push(registry, layout, name, tag):
    """The Distribution protocol's way up; returns the manifest's digest."""
    def call(method, path, data=None, **headers):
        connection = http.client.HTTPConnection(registry, timeout=PATIENCE_S)
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        response.read()
        assert response.status < 300, (method, path, response.status)
        return response.getheader("Location", "")

    blobs = layout.folder / "blobs/sha256"
    manifest = layout.manifests[0]["digest"]
    for blob in blobs.iterdir():
        if "sha256:" + blob.name == manifest:
            continue
        place = call("POST", f"/v2/{name}/blobs/uploads/").split(registry, 1)[-1]
        call("PUT", f"{place}&digest=sha256:{blob.name}", blob.read_bytes(),
             **{"Content-Type": "application/octet-stream"})
    call("PUT", f"/v2/{name}/manifests/{tag}", (blobs / manifest[7:]).read_bytes(),
         **{"Content-Type": images.MANIFEST})
    return manifest


def test_an_image_from_a_registry(cloud, registry, tmp_path):
    digest = push(registry, images.busybox(tmp_path / "layout"), "team/busybox", "1")
    for name in (f"{registry}/team/busybox:1", f"{registry}/team/busybox@{digest}"):
        job = submit(cloud, name, "echo hello")
        assert cloud.wait(job)["state"] == "succeeded", cloud.job(job)
        assert log(cloud, job) == "hello\n"
    assert "has no manifests/2" in refused(cloud, f"{registry}/team/busybox:2")
    assert "has no" in refused(cloud, f"{registry}/team/none:1")
    assert "has no" in refused(cloud, f"{registry}/team/busybox@sha256:{'0' * 64}")


class Liar(http.server.BaseHTTPRequestHandler):
    """A registry with one image, about which it lies as its server says."""

    def do_GET(self):  # the name that the base class asks for
        layout, lie = self.server.layout, self.server.lie
        manifest = layout.manifests[0]["digest"]
        is_manifest = "/manifests/" in self.path
        name = manifest if is_manifest else self.path.rsplit("/", 1)[1]
        path = layout.folder / "blobs/sha256" / name[7:]
        if lie == "stalls":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.server.released.wait(PATIENCE_S)
            return
        if lie == "sends on for ever":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
            return
        data = path.read_bytes()
        if lie == "other content" and not is_manifest:
            data = data[:-1] + b"?"
        if lie == "endless" and is_manifest:
            data = b"{" + b" " * (5 << 20)
        self.send_response(500 if lie == "is broken" else 200)
        self.send_header("Content-Length", str(len(data) + (10 if lie == "cut off" else 0)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except OSError:
            pass

    def log_message(self, *_):
        pass


@pytest.fixture
def liar(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    server.layout = images.busybox(tmp_path / "liar")
    server.released = threading.Event()
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("lie, why", [
    ("other content", "it was damaged or replaced"), ("endless", "too large"),
    ("cut off", "did not deliver"), ("is broken", "answers with status 500"),
    ("sends on for ever", "did not deliver")])
def test_a_registry_that_lies(cloud, liar, lie, why):
    liar.lie = lie
    detail = refused(cloud, f"127.0.0.1:{liar.server_port}/x/y:1")
    assert why in detail
    assert not list((cloud.state / "images/layers").iterdir())


def test_a_registry_that_stalls_holds_up_nobody(cloud, liar, image):
    liar.lie = "stalls"
    stalled = submit(cloud, f"127.0.0.1:{liar.server_port}/x/y:1", "true", retry={"max": 0})
    job = submit(cloud, image, "echo beside it")
    assert cloud.wait(job)["state"] == "succeeded"
    cloud.cli("stop", stalled)
    assert cloud.wait(stalled)["state"] == "cancelled"
    liar.released.set()
