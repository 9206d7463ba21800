"""A server whose tasks run in containers, and the proof that they leave nothing on the machine."""
import os
import pathlib
import shutil
import time

import pytest

import images
from cloud import PATIENCE_S, Cloud
from leftovers import mounts, what_is_left

WHY_NOT = None
if os.geteuid() != 0:
    WHY_NOT = "containers need root"
elif not (shutil.which("crun") or shutil.which("runc")):
    WHY_NOT = "there is no crun or runc"
elif not images.BUSYBOX.exists():
    WHY_NOT = "there is no static busybox (Debian's busybox-static)"


def pytest_collection_modifyitems(items):
    for item in items:
        if WHY_NOT and "containers" in str(item.path):
            item.add_marker(pytest.mark.skip(reason=WHY_NOT))


@pytest.fixture(scope="session")
def program(request):
    path = os.environ.get("GYRE_BIN")
    return pathlib.Path(path).resolve() if path else request.getfixturevalue("gyre")


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """The path of a layout with busybox."""
    return str(images.busybox(tmp_path_factory.mktemp("image") / "layout").folder)


@pytest.fixture
def server(program, tmp_path):
    """Not started yet: tests choose its options. In the end nothing of it may be left."""
    before = mounts()
    one = Cloud(program, tmp_path)
    yield one
    if one.process is None:
        one.up()
    one.stop_all()
    one.end()  # what it keeps ready for the next container ends with it
    deadline = time.monotonic() + PATIENCE_S
    while what_is_left(one, before) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not what_is_left(one, before)
    one.replay()


@pytest.fixture
def cloud(server):
    return server.up()
