"""Ports that a job asks for by name."""
import json
import shutil
import socket

import pytest

from cloud import until


def start(cloud, ports, command="env | grep ^GYRE_PORT_ | sort; sleep 1000", **spec):
    spec = json.dumps({"command": command, "ports": ports, **spec})
    job = cloud.cli("submit", "-", stdin=spec).stdout.strip()
    return cloud.wait(job, "running")


def numbers(job):
    return [port["port"] for port in job["ports"]]


def test_each_name_is_a_port_that_nobody_else_has(cloud):
    jobs = [start(cloud, ["http", "my-metrics"]) for _ in range(5)]
    all_ports = [port for job in jobs for port in numbers(job)]
    assert len(set(all_ports)) == 10 and all(10_000 <= port < 21_000 for port in all_ports)
    first = jobs[0]
    assert [port["name"] for port in first["ports"]] == ["http", "my-metrics"]
    http, metrics = numbers(first)
    said = until(lambda: (said := cloud.cli("logs", first["id"]).stdout).count("\n") == 2 and said,
                 "both are told")
    assert said == f"GYRE_PORT_HTTP={http}\nGYRE_PORT_MY_METRICS={metrics}\n"
    address = first["ports"][0]["address"]
    assert f"http={address}:{http}" in cloud.cli("ps", "-o", "wide").stdout
    assert f"port 'http' of task 0: {address}:{http}" in cloud.cli("explain", first["id"]).stdout
    cloud.stop_all()
    assert cloud.job(first["id"])["ports"] == []


def test_they_are_kept_over_a_restart_of_the_server_and_given_back_at_the_end(cloud):
    first = start(cloud, ["http"])
    cloud.kill()
    cloud.up()
    assert numbers(cloud.job(first["id"])) == numbers(first)
    others = [start(cloud, ["http"]) for _ in range(3)]
    assert not {port for job in others for port in numbers(job)} & set(numbers(first))
    cloud.stop_all()


def test_a_port_that_another_program_listens_on_is_not_given(cloud):
    def given_first():
        [port] = numbers(start(cloud, ["a"]))
        cloud.stop_all()
        cloud.end()
        shutil.rmtree(cloud.state)  # the next server begins as this one did
        cloud.up()
        return port

    port = given_first()
    assert given_first() == port
    with socket.create_server(("", port)):
        assert given_first() != port


@pytest.mark.parametrize("ports, why", [
    (["HTTP"], "'HTTP' is no port's name"), (["a", "a"], "two ports are called 'a'"),
    ([f"p{i}" for i in range(17)], "17 of them; at most 16"), (["x" * 16], "is no port's name"),
    ("http", "expected a list of texts"), ([8080], "expected a text"),
])
def test_what_is_wrong_with_them_is_said(cloud, ports, why):
    spec = json.dumps({"command": "true", "ports": ports})
    assert why in cloud.cli("submit", "-", stdin=spec, code=2).stderr
