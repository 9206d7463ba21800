"""What a server must not lead on, or cannot: one clear message, and nothing is changed."""
import subprocess

from cloud import until


def refused(server, *options, code=1, url=None, verb="server"):
    command = [server.program, verb, "--listen", "0", *options]
    if verb == "server":
        command += ["--agents", "127.0.0.1:0", "--journal", url or server.url]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr


def test_a_standby_of_an_older_version_refuses(pair):
    pair.a.serve()
    until(pair.a.leads, pair.a.heard)
    pair.sql("UPDATE gyre.lease SET version = '99.0.0'")
    said = refused(pair.b)
    assert "a server of Gyre 99.0.0 has led" in said and "bring this one up to date" in said
    assert pair.a.leads()


def test_a_newer_schema_is_refused(pair):
    pair.a.serve()
    until(pair.a.leads, pair.a.heard)
    pair.sql("UPDATE gyre.meta SET value = '7' WHERE key = 'schema_version'")
    assert "its schema is version 7" in refused(pair.b)
    pair.sql("UPDATE gyre.meta SET value = '1' WHERE key = 'schema_version'")


def test_a_state_folder_of_another_cluster_is_refused(pair):
    pair.a.serve()
    until(pair.a.leads, pair.a.heard)
    other = pair.postgres.new_database()
    pair.b.url = pair.postgres.url(other)
    pair.b.serve()
    until(pair.b.leads, pair.b.heard)
    pair.b.end()
    pair.b.url = pair.postgres.url(pair.database)
    cluster = pair.sql("SELECT value FROM gyre.meta WHERE key = 'cluster_id'")
    led = pair.sql("SELECT term, session FROM gyre.lease")
    for leader_lives in (True, False):
        said = refused(pair.b)
        assert cluster in said and "give the right database" in said
        assert pair.sql("SELECT term, session FROM gyre.lease") == led
        if leader_lives:
            pair.a.end()
    empty = refused(pair.b, url=pair.postgres.url(pair.postgres.new_database()))
    assert "is of none yet" in empty


def test_a_state_folder_has_one_journal(pair):
    pair.a.serve()
    until(pair.a.leads, pair.a.heard)
    pair.a.end()
    said = refused(pair.a, verb="up")
    assert "gyre-wire" in said
    said = pair.a.cli("backup", "create", pair.folder / "backup", code=1).stderr
    assert "pg_dump" in said
    said = pair.a.cli("replay", pair.a.state, code=1).stderr
    assert "the journal of the state folder" in said
    pair.b.state.mkdir()
    (pair.b.state / "journal.sqlite").touch()
    assert "has a journal of its own" in refused(pair.b)


def test_a_password_in_the_address_is_refused_and_not_repeated(pair):
    url = pair.a.url.replace("gyre@", "gyre:hunter2@")
    said = refused(pair.a, url=url, code=2)
    assert "PGPASSFILE" in said and "hunter2" not in said
    said = pair.a.cli("replay", url, code=1).stderr
    assert "PGPASSFILE" in said and "hunter2" not in said
    pair.a.serve()
    until(pair.a.leads, pair.a.heard)


def test_a_database_that_is_not_there_is_named(pair):
    said = refused(pair.a, url=pair.postgres.url("nothing"))
    assert 'database "nothing" does not exist' in said
    assert "out of reach" in refused(pair.a, url="postgresql://gyre@127.0.0.1:1/x")
    assert "it must look like" in refused(pair.a, url="mysql://x", code=2)
    pair.a.serve()
    until(pair.a.leads, pair.a.heard)
