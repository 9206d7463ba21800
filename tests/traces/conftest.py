"""Whoever spans are sent to."""
import pytest

from collector import Collector


@pytest.fixture
def collector():
    one = Collector()
    yield one
    one.end()
