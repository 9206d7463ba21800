"""Services whose replicas are containers: the port that each is given can be reached."""
import json

import pytest

from cloud import netns_works, until
from leftovers import mounts, what_is_left
from serving import Services

SERVE = ("mkdir /tmp/www && echo $GYRE_JOB_ID of $GYRE_REVISION > /tmp/www/who && "
         "exec busybox httpd -f -p $GYRE_HOST:$PORT -h /tmp/www")


@pytest.fixture
def services(program, tmp_path):
    """Not started yet. In the end nothing of it may be left."""
    before = mounts()
    one = Services(program, tmp_path)
    yield one
    one.cli("service", "delete", "web")
    one.until(lambda: not one.json("services")["services"], "its end")
    one.end()  # warm containers end with it
    if (one.state / "tasks").exists():
        until(lambda: not what_is_left(one, before), lambda: what_is_left(one, before))
    one.replay()


def apply(services, image, code=0, **fields):
    return services.apply(image=image, command=["sh", "-c", SERVE], code=code,
                          probes={"readiness": {"http": "/who", "period": "100ms"},
                                  "liveness": {"tcp": True}}, **fields)


def roll(services, image):
    """Two replicas answer, and those of the next revision take their place."""
    two = {"min": 2, "max": 2}
    apply(services, image, replicas=two)
    assert {services.ask("/who")[1] for _ in range(8)} == {b"1 of 1\n", b"2 of 1\n"}
    apply(services, image, replicas=two, version="2")
    services.until(lambda: services.ask("/who")[1].endswith(b"of 2\n"), "the next revision")


@pytest.mark.parametrize("warm", ["0", "1"])
def test_replicas_in_containers_answer_and_roll_over(services, image, warm):
    services.up("--virtual-gpus", "4xH100:80GB", "--warm", warm)
    roll(services, image)


def test_replicas_in_containers_of_other_nodes_answer(services, image):
    if not netns_works():
        pytest.skip("network namespaces need root and iproute2")
    services.up("--nodes", "3", "--virtual-gpus", "1xH100:80GB")
    roll(services, image)
    assert len({one["node"] for one in services.service()["replicas"]}) > 1


def test_one_without_a_network_is_refused(services, image):
    services.up()
    said = apply(services, image, network="none", wait=False, code=2).stderr
    assert "network" in said and "reached by nobody" in said
    apply(services, image)
    assert json.loads(services.cli("services", "-o", "json").stdout)["services"][0]["ready"] == 1
