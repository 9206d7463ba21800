"""Damage of the journal's file: a torn end is cut off and said, anything else is refused."""
import random
import sqlite3
import subprocess

import pytest

from cloud import PATIENCE_S


@pytest.fixture
def journal(server):
    """The file of a server that has ended, with some jobs in it."""
    server.up()
    for _ in range(5):
        server.wait(server.submit("true"))
    server.end()
    return server.state / "journal.sqlite"


def change(journal, statement):
    with sqlite3.connect(journal) as database:
        database.execute(statement)
    database.close()


def start_that_fails(server):
    """What it says."""
    done = subprocess.run(server.command(), env=server.environment, capture_output=True, text=True,
                          timeout=PATIENCE_S, check=False)
    assert done.returncode == 1, done.stderr
    return done.stderr


def test_a_torn_end_is_cut_off_kept_and_said(server, journal):
    last = sqlite3.connect(journal).execute("SELECT max(position) FROM records").fetchone()[0]
    change(journal, f"UPDATE records SET body = substr(body, 1, 20) WHERE position >= {last - 2}")
    server.up()
    kept = journal.with_name(f"journal.sqlite.cut-{last - 2}.sql")
    assert f"kept in {kept}" in server.said
    assert kept.read_text().count("INSERT INTO records") == 3
    incident = server.json("incidents")["incidents"][-1]
    assert (incident["symptom"], incident["outcome"]) == ("journal_damaged", "recovered")
    assert str(kept) in incident["evidence"]
    assert server.wait(server.submit("true"))["state"] == "succeeded"
    server.end()
    server.up()
    assert "warning: the journal was damaged" not in server.said, "it is said once"


def test_damage_before_whole_records_is_refused_with_the_way_out(server, journal):
    change(journal, "UPDATE records SET checksum = checksum + 1 WHERE position = 7")
    before = journal.read_bytes()
    said = start_that_fails(server)
    assert "record 7 has a wrong checksum, and whole records follow" in said
    assert f"gyre backup restore {journal} --upto " in said
    assert journal.read_bytes() == before
    change(journal, "UPDATE records SET checksum = checksum - 1 WHERE position = 7")


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bytes_never_crash_it(server, journal, seed):
    whole = journal.read_bytes()
    chance = random.Random(seed)
    broken = bytearray(whole)
    for _ in range(chance.randrange(1, 4)):
        broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
    journal.write_bytes(broken)
    process = subprocess.Popen(server.command(), env=server.environment, stderr=subprocess.PIPE,
                               text=True)
    said = ""
    while "Ctrl-C" not in said and (line := process.stderr.readline()):
        said += line
    if "Ctrl-C" in said:
        process.terminate()
    process.stderr.read()
    code = process.wait(PATIENCE_S)
    assert code == (0 if "Ctrl-C" in said else 1), said
    journal.write_bytes(whole)
