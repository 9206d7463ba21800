"""A server that takes agents in."""
import pytest

from fleets import Fleet


@pytest.fixture
def fleet(request, gyre, tmp_path):
    """A node that is away is missed within seconds, but where `fleet` is given as `patient`."""
    one = Fleet(gyre, tmp_path, getattr(request, "param", "3s"))
    one.serve()
    yield one
    one.close()
