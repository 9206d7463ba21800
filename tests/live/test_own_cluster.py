"""A state folder is of one cluster: beside tasks that run no other journal is begun or taken up."""
import json
import os
import shutil
import sqlite3
import subprocess

import pytest

from cloud import PATIENCE_S, Cloud

OURS, ASIDE, OTHER = "journal.sqlite*", "aside", "other"


def move(source, target):
    target.mkdir(exist_ok=True)
    for file in source.glob(OURS):
        shutil.move(file, target / file.name)


def cluster_of(folder):
    with sqlite3.connect(folder / "journal.sqlite") as store:
        return store.execute("SELECT value FROM meta WHERE key = 'cluster_id'").fetchone()[0]


def refused(server):
    """What it says instead of starting."""
    result = subprocess.run(server.command(), env=server.environment, capture_output=True,
                            text=True, timeout=PATIENCE_S, check=False)
    assert result.returncode == 1 and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


@pytest.fixture
def running(server, pipe):
    """A server that was killed beside a task, its cluster, and what proves the task goes on."""
    server.up()
    go = server.folder / "go"
    os.mkfifo(go)
    job = server.submit(f"echo up > {pipe.path}; read x < {go}; echo after; exit 7")
    assert pipe.line() == "up"
    server.wait(job, "running")
    server.kill()

    def proves():
        server.up()
        assert server.job(job)["state"] == "running"
        go.write_text("on\n")
        assert server.wait(job)["exit_code"] == 7

    return cluster_of(server.state), proves


def test_a_journal_that_is_gone_is_not_begun_anew_beside_its_tasks(server, running):
    cluster, proves = running
    before = server.tasks_alive()
    move(server.state, server.folder / ASIDE)
    for _ in range(2):
        said = refused(server)
        assert cluster in said and "is gone" in said and "put its journal back" in said
        assert not list(server.state.glob(OURS)), "none was begun"
    assert before and server.tasks_alive() == before
    move(server.folder / ASIDE, server.state)
    proves()


def bytes_of(folder):
    """Of the journal there and its log; their index and lock are whoever's reads them."""
    return {name: (folder / name).read_bytes() for name in ("journal.sqlite", "journal.sqlite-wal")
            if (folder / name).exists()}


@pytest.mark.parametrize("fresh", [True, False])
def test_the_journal_of_another_cluster_is_refused(gyre, server, running, fresh):
    cluster, proves = running
    before = server.tasks_alive()
    (server.folder / OTHER).mkdir()
    other = Cloud(gyre, server.folder / OTHER)
    other.up()
    if not fresh:
        other.run("true")
    theirs = cluster_of(other.state)
    other.end() if fresh else other.kill()  # whose log is whole then, and not yet moved
    move(server.state, server.folder / ASIDE)
    move(other.state, server.state)
    found = bytes_of(server.state)
    for _ in range(2):
        said = refused(server)
        assert f"is of cluster {cluster}" in said and f"is of cluster {theirs}" in said
        assert bytes_of(server.state) == found
    assert before and server.tasks_alive() == before
    for file in server.state.glob(OURS):
        file.unlink()
    move(server.folder / ASIDE, server.state)
    proves()


def test_what_the_folder_says_of_its_journal_may_not_be_damaged(server):
    server.up()
    server.end()
    place = server.state / "journal.json"
    whole = place.read_text()
    assert json.loads(whole)["cluster_id"] == cluster_of(server.state)
    for damaged in ("", "{}", "[1]", whole.replace("cluster_id", "cluster"), whole[:-9]):
        place.write_text(damaged)
        said = refused(server)
        assert str(place) in said and "remove it" in said
    place.unlink()
    server.up()
    assert place.read_text() == whole
