"""A server that had its journal in a state folder goes on with it in PostgreSQL, agents and all."""
import subprocess

from cloud import until
from fleets import Fleet


def restored(fleet, pair, backup, code=0, url=None):
    done = subprocess.run([fleet.program, "backup", "restore", backup, "--to",
                           url or pair.postgres.url(pair.database)], env=fleet.environment,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_jobs_and_agents_go_on_in_the_database(gyre, tmp_path, pair):
    folder = tmp_path / "one"
    folder.mkdir()
    fleet = Fleet(gyre, folder, "60s")
    fleet.agents = pair.a.agents
    fleet.serve()
    fleet.doors = lambda: f"127.0.0.1:{fleet.agents_port},127.0.0.1:{pair.a.agents_port}"
    agent = fleet.agent("n")
    job = fleet.submit_lone(1000)
    fleet.wait(job, "running")
    backup = tmp_path / "one.gyre"
    fleet.kill()
    fleet.cli("backup", "create", backup)
    said = restored(fleet, pair, backup)
    assert "restored" in said and pair.database in said

    pair.a.serve()
    until(pair.a.leads, pair.a.heard)
    until(lambda: pair.a.node("n").get("state") == "up", agent.said)
    until(lambda: pair.a.job(job)["state"] == "running", "the job goes on")
    assert pair.a.job(job)["attempt"] == 1
    assert pair.a.submit(["true"]) > job + 1000
    said = restored(fleet, pair, backup, code=1)
    assert "nothing is ever restored over what is there" in said


def test_a_damaged_backup_leaves_nothing_in_the_database(gyre, tmp_path, pair):
    folder = tmp_path / "one"
    folder.mkdir()
    fleet = Fleet(gyre, folder)
    backup = tmp_path / "bad.gyre"
    backup.write_bytes(b"no backup")
    restored(fleet, pair, backup, code=1)
    assert pair.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'gyre'") == "0"
    assert "password" in restored(fleet, pair, backup, code=1, url="postgresql://a:b@localhost/x")
    pair.a.serve()
    until(pair.a.leads, pair.a.heard)
