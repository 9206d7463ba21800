"""A server that takes agents in."""
import pytest

from fleets import Fleet


@pytest.fixture
def fleet(gyre, tmp_path):
    one = Fleet(gyre, tmp_path)
    one.serve()
    yield one
    one.close()
