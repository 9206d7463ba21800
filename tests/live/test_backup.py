"""Backups of a server that runs and is busy, and what is restored from them."""
import json
import re
import sqlite3
import subprocess
import threading
import time

import pytest

from cloud import Cloud


class Load:
    """Clients that submit as fast as they are answered."""

    def __init__(self, server, clients=4):
        self.server, self.accepted, self.over = server, [], threading.Event()
        self.threads = [threading.Thread(target=self.submit) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def submit(self):
        while not self.over.is_set():
            self.accepted.append(self.server.submit("true", resources={"gpu": 4}))

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


@pytest.fixture
def restored(gyre, server):
    """Starts a server on a state folder that was made of a backup."""
    clouds = []

    def start(state):
        one = Cloud(gyre, server.folder)
        one.state = state
        one.environment = {**one.environment, "GYRE_STATE": str(state)}
        clouds.append(one)
        return one.up()

    yield start
    for one in clouds:
        one.end()
        one.replay()


def test_a_backup_under_load_has_all_that_was_accepted_before_it(server, restored):
    server.up()
    load = Load(server)
    made = []
    for number in range(5):
        target = len(load.accepted) + 20
        while len(load.accepted) < target:
            time.sleep(0.001)
        before = list(load.accepted)
        file = server.folder / f"{number}.gyre"
        made.append((file, before, server.json("backup", "create", file)))
    load.end()
    for file, before, facts in made:
        assert file.stat().st_mode & 0o777 == 0o600
        verified = server.json("backup", "verify", file)
        assert verified["last_event"] == facts["last_event"] and verified["made_at"]
        server.cli("backup", "restore", file, "--to", server.folder / f"{file.stem}-state")
        journal = sqlite3.connect(server.folder / f"{file.stem}-state" / "journal.sqlite")
        known = {json.loads(body)["job"] for (body,) in journal.execute(
            "SELECT body FROM records WHERE body LIKE '%\"type\":\"job_submitted\"%'")}
        assert set(before) <= known
    server.end()
    again = restored(server.folder / "4-state")
    for job in made[4][1][:20]:
        assert again.wait(job)["state"] == "succeeded"
    incident = again.json("incidents")["incidents"][-1]
    assert incident["evidence"].startswith(f"restored from {made[4][0]} as it was after event")
    # The time between is no time of repair.
    assert incident["recovery_ms"] == 0 and incident["detected_at"] > made[4][2]["last_event_at"]


def test_one_moment_is_restored(server, restored):
    server.up()
    first = server.submit("true")
    server.wait(first)
    moment = re.sub(r"\d{3}Z$", "999Z", server.http("GET", "/v1/clock")[2]["now"])
    last = json.loads(server.cli("replay", server.state / "journal.sqlite", "-o", "json").stdout)
    time.sleep(1.1)  # the moment is to be over
    second = server.submit("true")
    server.wait(second)
    file = server.folder / "backup.gyre"
    server.cli("backup", "create", file)
    server.end()
    for name, cut in (("at", ["--at", moment]), ("upto", ["--upto", last["events"]])):
        folder = server.folder / name
        server.cli("backup", "restore", file, "--to", folder, *cut)
        again = restored(folder)
        assert again.job(first)["state"] == "succeeded"
        assert again.http("GET", f"/v1/jobs/{second}")[0] == 404
        later = int(again.run("--", "true"))
        assert later > second + 999_000, "the number of a lost job is not given anew"
        again.wait(later)


def test_a_damaged_journal_is_restored_up_to_where_it_is_whole(server, restored):
    server.up()
    jobs = [server.submit("true")]
    server.wait(jobs[0])  # its end stands before the damage
    jobs += [server.submit("true") for _ in range(4)]
    for job in jobs:
        server.wait(job)
    server.end()
    journal = server.state / "journal.sqlite"
    middle = "(SELECT max(position) - 4 FROM records)"
    with sqlite3.connect(journal) as database:
        database.execute(f"UPDATE records SET checksum = checksum + 1 WHERE position = {middle}")
    refused = subprocess.run(server.command(), env=server.environment, capture_output=True,
                             text=True, timeout=60, check=False)
    way_out = re.search(r"gyre (backup restore \S+ --upto \d+ --to )FOLDER", refused.stderr)[1]
    folder = server.folder / "whole"
    server.cli(*way_out.split(), folder)
    again = restored(folder)
    assert again.job(jobs[0])["state"] == "succeeded"
    for job in jobs[:3]:
        again.wait(job)
    with sqlite3.connect(journal) as database:
        database.execute(f"UPDATE records SET checksum = checksum - 1 WHERE position = {middle}")


def test_mistakes_have_one_clear_error_each(server):
    server.up()
    server.end()
    file = server.folder / "backup.gyre"
    server.cli("backup", "create", file)
    full = server.folder / "full"
    full.mkdir()
    (full / "mine").write_text("")
    text = server.folder / "notes.txt"
    text.write_text("no journal " * 100)
    for arguments, words, code in (
            (("create", file), "exists; a backup never overwrites", 1),
            (("create", server.folder / "none" / "b"), "No such file", 1),
            (("verify", server.folder / "none"), "there is no such file", 1),
            (("verify", text), "not a database", 1),
            (("restore", file, "--to", full), "is not an empty folder", 1),
            (("restore", text, "--to", server.folder / "x"), "not a database", 1),
            (("restore", file, "--to", server.folder / "x", "--upto", 10**9), "ends with event", 1),
            (("restore", file, "--to", server.folder / "x", "--at", "2001-01-01T00:00:00Z"),
             "no event until then", 1),
            (("restore", file, "--to", server.folder / "x", "--at", "2026-02-30T00:00:00Z"),
             "is no time", 2),
            (("restore", file, "--to", server.folder / "x", "--at", "monday"), "is no time", 2)):
        result = server.cli("backup", *arguments, code=code)
        assert words in result.stderr and result.stderr.count("\n") == 1, result.stderr
    assert not (server.folder / "x").exists()
    assert not list(server.folder.glob("*partial*"))
    server.up()
    result = server.cli("backup", "restore", server.state / "journal.sqlite", "--to",
                        server.folder / "x", code=1)
    assert "a server runs on" in result.stderr and not (server.folder / "x").exists()


def test_a_restored_fleet_is_for_its_owner_alone_and_half_of_one_does_not_stay(server):
    server.up("--agents", "127.0.0.1:0")
    server.end()
    file = server.folder / "backup.gyre"
    server.cli("backup", "create", file)
    folder = server.folder / "restored"
    server.cli("backup", "restore", file, "--to", f"{folder}/")
    assert folder.stat().st_mode & 0o777 == (folder / "fleet").stat().st_mode & 0o777 == 0o700
    secrets = sorted((server.state / "fleet").iterdir())
    assert secrets and [one.name for one in secrets] == sorted(
        one.name for one in (folder / "fleet").iterdir())
    for secret in secrets:
        copy = folder / "fleet" / secret.name
        assert copy.read_bytes() == secret.read_bytes() and copy.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(file) as database:
        database.execute("INSERT INTO files VALUES(?, 'x')", ["fleet/" + "x" * 300])
    refused = server.cli("backup", "restore", file, "--to", server.folder / "x", code=1).stderr
    assert "File name too long" in refused and refused.count("\n") == 1, refused
    with open(server.state / "fleet" / "large", "wb") as large:
        large.truncate((16 << 20) + 1)
    refused = server.cli("backup", "create", server.folder / "b", code=1).stderr
    assert "is too large" in refused, refused
    assert not (server.folder / "x").exists() and not (server.folder / "b").exists()
    assert not list(server.folder.glob("*partial*"))


def test_a_damaged_backup_is_not_restored(server):
    server.up()
    server.wait(server.submit("true"))
    server.end()
    file = server.folder / "backup.gyre"
    server.cli("backup", "create", file)
    with sqlite3.connect(file) as database:
        database.execute("UPDATE records SET checksum = 0 WHERE position = 4")
    for arguments in (("verify", file), ("restore", file, "--to", server.folder / "x")):
        assert "record 4 has a wrong checksum" in server.cli("backup", *arguments, code=1).stderr
    assert not (server.folder / "x").exists()
