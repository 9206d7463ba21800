"""OCI images made of busybox, honest and hostile ones, as layouts and archives."""
import gzip
import hashlib
import io
import json
import pathlib
import platform
import tarfile

BUSYBOX = pathlib.Path("/bin/busybox")
APPLETS = ("sh true false sleep cat echo ls id mount umount ps dd head tail yes kill touch mkdir "
           "env pwd readlink wc grep stat test hostname nproc chmod rm mknod seq date ip trap "
           "setsid stty find unshare").split()
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "unknown")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def member(name, data=b"", mode=0o755, kind=tarfile.REGTYPE, link="", **more):
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.type, info.linkname = len(data), mode, kind, link
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def layer(*members):
    """A gzipped tar of the given members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue(), 1, mtime=0)


def busybox_layer():
    members = [member("bin", kind=tarfile.DIRTYPE), member("etc", kind=tarfile.DIRTYPE),
               member("bin/busybox", BUSYBOX.read_bytes()),
               member("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"
                      b"worker:x:1000:1001::/home/worker:/bin/sh\n", 0o644),
               member("etc/group", b"root:x:0:\nworkers:x:1001:\n", 0o644)]
    members += [member("bin/" + name, kind=tarfile.SYMTYPE, link="/bin/busybox")
                for name in APPLETS]
    return layer(*members)


class Layout:
    """An OCI layout in a folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        (self.folder / "blobs/sha256").mkdir(parents=True)
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self.manifests = []

    def blob(self, data):
        name = digest(data)
        (self.folder / "blobs/sha256" / name[7:]).write_bytes(data)
        return {"digest": name, "size": len(data)}

    def add(self, layers, platform_of=None, **config):
        """Adds an image; the digest of its manifest."""
        document = {"architecture": ARCHITECTURE, "os": "linux", "config": config,
                    "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in layers]}}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST,
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                               **self.blob(json.dumps(document).encode())},
                    "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                                **self.blob(one)} for one in layers]}
        entry = {"mediaType": MANIFEST, **self.blob(json.dumps(manifest).encode())}
        if platform_of:
            entry["platform"] = {"os": "linux", "architecture": platform_of}
        self.manifests.append(entry)
        (self.folder / "index.json").write_text(
            json.dumps({"schemaVersion": 2, "manifests": self.manifests}))
        return entry["digest"]

    def archive(self, path):
        with tarfile.open(path, "w") as tar:
            for name in ("oci-layout", "index.json", "blobs"):
                tar.add(self.folder / name, name)
        return path


def busybox(folder, **config):
    """A layout with one image of busybox."""
    layout = Layout(folder)
    layout.add([busybox_layer()], **config)
    return layout
