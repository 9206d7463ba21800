"""Nodes that hold an image: jobs go there, and others fetch it before a job needs it."""
import pytest

import images
from fleets import Fleet
from test_images import push
from test_registry_logins import Registry

GPU = {"resources": {"gpu": 1}, "retry": {"max": 0}}


@pytest.fixture
def fleet(program, tmp_path):
    one = Fleet(program, tmp_path)
    one.serve()
    yield one
    one.close()


@pytest.fixture
def registry(tmp_path):
    folder = tmp_path / "registry"
    folder.mkdir()
    one = Registry(folder).start(None)
    push(one.name, images.busybox(tmp_path / "layout"), "team/busybox", "1")
    one.image = f"{one.name}/team/busybox:1"
    yield one
    one.end()


def held(fleet, name):
    return [image["reference"] for image in fleet.node(name)["images"]]


def metric(fleet, outcome):
    text = fleet.http("GET", "/metrics")[2].decode()
    line = next(x for x in text.splitlines()
                if x.startswith("gyre_image_prefetches_total") and outcome in x)
    return float(line.split()[-1])


def test_a_job_goes_to_the_node_that_has_fetched_its_image(fleet, registry):
    fleet.agent("a")
    fleet.agent("b")
    fleet.cli("image", "prefetch", registry.image, "--node", "b", "--wait")
    assert held(fleet, "b") == [registry.image] and held(fleet, "a") == []
    listed = fleet.json("image", "ls")["images"]
    assert [(one["reference"], one["nodes"]) for one in listed] == [(registry.image, ["b"])]
    assert metric(fleet, "fetched") == 1
    registry.end()  # nothing is left to be fetched
    job = fleet.submit("echo hello", image=registry.image, **GPU)
    ended = fleet.wait(job)
    assert ended["state"] == "succeeded", ended
    [start] = fleet.http("GET", f"/v1/decisions?job={job}")[2]["decisions"]
    assert start["nodes"] == ["b"] and "on b, which holds its image" in start["why"]
    plain = fleet.submit("true", **GPU)
    fleet.wait(plain)
    [start] = fleet.http("GET", f"/v1/decisions?job={plain}")[2]["decisions"]
    assert start["nodes"] == ["a"] and "image" not in start["why"]


def test_a_node_says_again_what_it_holds(fleet, registry):
    agent = fleet.agent("a")
    fleet.cli("image", "prefetch", registry.image, "--wait")
    registry.end()
    agent.end()
    fleet.until(lambda: fleet.node("a")["state"] == "down", "its lease is over")
    assert held(fleet, "a") == []
    agent.start()
    fleet.until(lambda: held(fleet, "a") == [registry.image], "it says what it holds")


def test_the_image_of_a_job_that_waits_is_fetched_meanwhile(fleet, registry):
    fleet.agent("a")
    holder = fleet.submit(["sleep", "1000"], expected_duration="1h", resources={"gpu": 2})
    fleet.wait(holder, "running")
    job = fleet.submit("echo hello", image=registry.image, resources={"gpu": 2},
                       retry={"max": 0})
    fleet.until(lambda: held(fleet, "a") == [registry.image], "it is fetched")
    assert fleet.job(job)["state"] == "queued"
    registry.end()
    events = fleet.json("events", job)["events"]
    assert [one["detail"] for one in events if "ahead" in one["detail"]] == [
        "its image is fetched ahead on a"]
    fleet.cli("stop", holder)
    assert fleet.wait(job)["state"] == "succeeded", fleet.job(job)


def test_what_cannot_be_fetched_is_said(fleet, registry):
    fleet.agent("a")
    missing = registry.image.replace(":1", ":2")
    said = fleet.cli("image", "prefetch", missing, "--wait", code=1).stderr
    assert "node a cannot fetch it" in said and "has no manifests/2" in said
    assert fleet.node("a")["image_trouble"]["image"] == missing
    assert metric(fleet, "failed") == 1
    assert "there is no node 'z'" in fleet.cli("image", "prefetch", missing, "--node", "z",
                                               code=1).stderr
    assert "names no image" in fleet.cli("image", "prefetch", "busybox", code=2).stderr
    for body in ({"action": "prefetch"}, {"action": "prefetch", "image": 7},
                 {"action": "prefetch", "image": missing, "registry_login": "../x"},
                 {"action": "cordon", "image": missing}):
        status, _, problem = fleet.http("POST", "/v1/nodes/a/actions", body)
        assert status == 422, problem
    status, _, problem = fleet.http("POST", "/v1/nodes/z/actions",
                                    {"action": "prefetch", "image": missing})
    assert status == 404, problem


def test_a_node_gives_its_containers_what_its_operator_allows(fleet, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "hello").write_text("from the node")
    image = str(images.busybox(tmp_path / "layout").folder)
    fleet.agent("a", "--volume", f"{shared}:ro", "--warm", "1", "--task-log", "1MB")
    job = fleet.submit("cat /v/hello", image=image, volumes=[f"{shared}:/v:ro"], **GPU)
    ended = fleet.wait(job)
    assert ended["state"] == "succeeded", ended
    assert fleet.cli("logs", str(job)).stdout == "from the node"
    job = fleet.submit("true", image=image, volumes=[f"{tmp_path}:/v"], **GPU)
    assert "is not allowed" in fleet.wait(job)["reason_detail"]

    def warm():
        ended = fleet.wait(fleet.submit("true", image=image, **GPU))
        return ended["start"]["warm"]
    fleet.until(warm, "a start in a container that was made beforehand")
