"""One server for all tests here, with everything that watches it."""
import pytest

from watched_cloud import Watched


@pytest.fixture(scope="module")
def watched(gyre, root, tmp_path_factory):
    one = Watched(gyre, root / "deploy", tmp_path_factory.mktemp("watched"))
    yield one
    one.end()
