"""A server of its own for each test."""
import pytest

from serving import Services


@pytest.fixture
def cloud(gyre, tmp_path):
    one = Services(gyre, tmp_path).up()
    yield one
    if one.process is None:
        one.up()
    for service in one.json("services")["services"]:
        if not service["deleted"]:
            one.cli("service", "delete", service["name"])
    one.until(lambda: not one.json("services")["services"], "the end of the services")
    one.stop_all()
    one.end()
    one.replay()
