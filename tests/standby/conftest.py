"""Two servers that share a journal in PostgreSQL, where there is one."""
import subprocess

import pytest

from pairs import Pair
from postgres import Postgres, programs


@pytest.fixture(scope="session")
def postgres():
    if programs() is None:
        pytest.skip("no PostgreSQL server here: install the package postgresql")
    one = Postgres()
    yield one
    one.close()


@pytest.fixture
def pair(gyre, tmp_path, postgres):
    if "no PostgreSQL" in subprocess.run([gyre, "replay", "postgresql://localhost/x"], text=True,
                                         capture_output=True, check=False).stderr:
        pytest.skip("this build has no PostgreSQL")
    one = Pair(gyre, tmp_path, postgres)
    yield one
    one.close()

