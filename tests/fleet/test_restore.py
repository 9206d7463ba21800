"""A server that was restored elsewhere: its agents go on with it, and obey the old one no more."""
from fleets import patient


def serve_from(fleet, state):
    fleet.state = state
    fleet.environment["GYRE_STATE"] = str(state)
    fleet.serve()


@patient
def test_agents_go_on_with_the_restored_server_and_refuse_the_old_one(fleet):
    agent = fleet.agent("a")
    job = fleet.submit_lone(1000)
    fleet.until(lambda: fleet.ran(1), "the task runs")
    fleet.wait(job, "running")
    backup, old = fleet.folder / "backup.gyre", fleet.state
    fleet.cli("backup", "create", backup)
    lost = fleet.submit(["sleep", "1000"])
    fleet.wait(lost, "running")
    fleet.kill()

    new = fleet.folder / "restored"
    fleet.cli("backup", "restore", backup, "--to", new)
    serve_from(fleet, new)
    fleet.until(lambda: fleet.node("a").get("state") == "up", "the agent comes to its new server")
    fleet.until(lambda: fleet.job(job)["state"] == "running", "the job goes on")
    assert fleet.job(job)["attempt"] == 1 and not fleet.ran(2)
    # The number of what was lost is not given anew: its task may still be ending.
    again = fleet.submit(["sh", "-c", "exit 7"])
    assert again > lost and fleet.wait(again)["exit_code"] == 7
    fleet.kill()

    serve_from(fleet, old)
    refused = "restored from a backup later"
    fleet.until(lambda: refused in agent.said(), "the old one is refused")
    assert fleet.http("POST", f"/v1/jobs/{job}/actions", {"action": "stop"})[0] == 202
    fleet.kill()
    fleet.until(lambda: refused not in agent.said().splitlines()[-1], "the agent finds nobody")
    fleet.serve()  # it comes again, to a server that wants the task to end
    assert fleet.job(job)["state"] == "stopping"
    fleet.until(lambda: agent.said().count(refused) == 2, "the old one is refused again")
    fleet.kill()

    serve_from(fleet, new)
    fleet.until(lambda: fleet.node("a").get("state") == "up", "the agent comes back")
    fleet.until(lambda: fleet.job(job)["state"] == "running", "the job goes on")
    assert fleet.job(job)["attempt"] == 1 and not fleet.ran(2)
    fleet.http("POST", f"/v1/jobs/{job}/actions", {"action": "stop"})
    fleet.wait(job)


def test_an_agent_that_cannot_keep_a_servers_term_does_not_obey_it(fleet):
    backup, new = fleet.folder / "backup.gyre", fleet.folder / "restored"
    fleet.agent("b")  # something to restore
    fleet.cli("backup", "create", backup)
    fleet.kill()
    fleet.cli("backup", "restore", backup, "--to", new)
    serve_from(fleet, new)

    agent = fleet.new_agent("a")
    obstacle = agent.folder / "agent" / "term.tmp"
    obstacle.mkdir(parents=True, mode=0o700)
    obstacle.parent.chmod(0o700)
    agent.start(fleet.token())
    fleet.until(lambda: "not connected: cannot write " in agent.said(), "it says so")
    assert not (obstacle.parent / "lease").exists()
    obstacle.rmdir()
    fleet.until(lambda: fleet.node("a").get("state") == "up", "the agent comes in")
