"""A server of its own for each test."""
import os

import pytest

from cloud import netns_works
from serving import Services, end


@pytest.fixture
def cloud(gyre, tmp_path):
    one = Services(gyre, tmp_path).up()
    yield one
    end(one)


@pytest.fixture
def village(request, gyre, tmp_path):
    """Three nodes in network namespaces of their own, each with room for one replica; one that is
    away is missed within seconds where `village` is given as `missed_soon`."""
    if not netns_works():
        pytest.skip("network namespaces need root and iproute2")
    one = Services(gyre, tmp_path).up("--nodes", "3", "--virtual-gpus", "1xH100:80GB",
                                      "--node-lease", getattr(request, "param", "30s"))
    yield one
    street = one.street()
    end(one)
    left = [one for one in os.listdir("/sys/class/net")
            if one == f"gyre{street}" or one.startswith(f"g{street}n")]
    assert not left, "the network is left behind"
