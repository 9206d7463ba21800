"""A server of its own for each test, driven through the real program; its journal must replay."""
import os
import pathlib

import pytest

from cloud import Cloud


@pytest.fixture(scope="session")
def program(request):
    path = os.environ.get("GYRE_BIN")
    return pathlib.Path(path).resolve() if path else request.getfixturevalue("gyre")


@pytest.fixture
def offline(program, tmp_path):
    """The command line without a server."""
    return Cloud(program, tmp_path)


@pytest.fixture
def cloud(program, tmp_path):
    one = Cloud(program, tmp_path).up()
    yield one
    if one.process is None:
        one.up()
    one.stop_all()
    one.end()
    one.replay()
