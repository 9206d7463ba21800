"""Leaders are killed, stopped and cut off; a standby goes on, and nothing is lost or run twice."""
import re
import signal

from cloud import until

TAKE_OVER_S = 15  # less than a node's lease; bench/ measures it


def incidents_of(server, symptom):
    return [one for one in server.json("incidents")["incidents"] if one["symptom"] == symptom]


def metric(server, name):
    text = server.http("GET", "/metrics")[2].decode()
    return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1])


def test_a_standby_says_who_leads_and_clients_find_that_one(pair):
    pair.start()
    leader = f"http://127.0.0.1:{pair.a.port}"
    status, headers, problem = pair.b.http("POST", "/v1/jobs", {"name": "x", "command": "true"})
    assert (status, problem["type"]) == (503, "/problems/standby")
    assert leader in problem["detail"] and headers["Retry-After"] == "1"
    assert pair.b.http("GET", "/readyz")[0] == 503
    assert [metric(one, "gyre_leader") for one in (pair.a, pair.b)] == [1, 0]
    assert leader in pair.b.health()["leader"]
    both = f"http://127.0.0.1:{pair.b.port},{leader}"
    assert pair.b.cli("nodes", "--server", both).returncode == 0
    refused = pair.b.cli("nodes", "--server", f"http://127.0.0.1:{pair.b.port}", code=1)
    assert leader in refused.stderr


def test_a_killed_leader_is_succeeded_and_its_jobs_go_on(pair):
    pair.start()
    pair.a.agent("n")
    going = pair.a.submit_lone(8)
    until(lambda: pair.a.ran(1), "it runs")
    waiting = [pair.a.submit(["sh", "-c", "echo done"], resources={"gpu": 2}) for _ in range(3)]
    pair.a.end(signal.SIGKILL)
    assert pair.taken_over(pair.b) < TAKE_OVER_S
    assert pair.b.wait(going)["attempt"] == 1
    for job in waiting:
        assert pair.b.wait(job)["state"] == "succeeded"
        assert pair.b.cli("logs", job).stdout == "done\n"
    lost = incidents_of(pair.b, "leader_lost")
    assert len(lost) == 1 and f":{pair.a.port}" in lost[0]["evidence"]
    assert [metric(pair.b, name) for name in ("gyre_leader", "gyre_take_overs")] == [1, 1]
    pair.a.serve()
    until(pair.a.is_standby, pair.a.heard)


def test_a_leader_that_is_killed_on_purpose_leaves_the_record_and_the_switch(pair):
    for one in (pair.a, pair.b):
        one.options = ["--chaos"]
    pair.start()
    begun = pair.a.http("POST", "/v1/chaos/faults", {"do": "kill-server", "for": "6s"})
    assert begun[0] == 202, begun
    until(pair.b.leads, pair.b.heard)
    record = pair.b.json("chaos", "status")["faults"]
    assert [(one["id"], one["do"]) for one in record] == [(1, "kill-server")]
    until(lambda: pair.b.json("chaos", "status")["faults"][0]["state"] == "recovered",
          pair.b.heard)
    until(pair.a.is_standby, pair.a.heard)
    pair.b.cli("chaos", "off")
    pair.b.end()
    until(pair.a.leads, pair.a.heard)
    seen = pair.a.json("chaos", "status")
    assert not seen["on"] and [one["state"] for one in seen["faults"]] == ["recovered"]


def test_a_client_that_follows_a_job_goes_on_with_the_next_leader(pair):
    pair.start()
    pair.a.agent("n")
    go = pair.folder / "go"
    run = pair.a.start("run", "--", "sh", "-c",
                       f"echo begun; while [ ! -e {go} ]; do sleep 0.1; done; echo over; exit 7")
    assert run.stdout.readline() == "begun\n"
    pair.a.end(signal.SIGKILL)
    pair.taken_over(pair.b)
    go.touch()
    said, _ = run.communicate(timeout=60)
    assert (run.returncode, said) == (7, "over\n")


def test_a_stopped_leader_that_goes_on_is_fenced_and_becomes_a_standby(pair):
    pair.start()
    pair.a.agent("n")
    going = pair.a.submit_lone(6)
    until(lambda: pair.a.ran(1), "it runs")
    pair.a.process.send_signal(signal.SIGSTOP)
    assert pair.taken_over(pair.b) < TAKE_OVER_S
    late = pair.b.submit(["true"])
    pair.a.process.send_signal(signal.SIGCONT)
    until(pair.a.is_standby, pair.a.heard)
    assert "another server leads on the journal" in pair.a.heard()
    assert "fenced" in pair.a.heard()
    assert pair.b.leads()
    for job in (going, late):
        assert pair.b.wait(job)["state"] == "succeeded"
        assert pair.b.job(job)["attempt"] == 1
    pair.b.end(signal.SIGKILL)
    assert pair.taken_over(pair.a) < TAKE_OVER_S
    assert pair.a.job(going)["state"] == "succeeded"


def test_a_leader_cut_off_from_the_database_acts_on_nothing_and_leaves_its_nodes(pair):
    pair.start()
    pair.a.agent("n")
    going = pair.a.submit_lone(6)
    until(lambda: pair.a.ran(1), "it runs")
    pair.wire.cut()
    assert pair.taken_over(pair.b) < TAKE_OVER_S
    status, _, problem = pair.a.http("GET", "/v1/jobs")
    assert (status, problem["type"]) == (503, "/problems/standby")
    assert pair.a.health()["storage"]["status"] == "away"
    until(lambda: pair.b.node("n").get("silent") is not True
          and pair.b.node("n")["state"] == "up", "the node has changed sides")
    pair.wire.mend()
    until(pair.a.is_standby, pair.a.heard)
    assert pair.b.wait(going)["attempt"] == 1


def test_a_leader_that_ends_leaves_its_lease(pair):
    pair.start()
    pair.a.end()
    pair.taken_over(pair.b)
    assert incidents_of(pair.b, "leader_lost") == []


def test_a_killed_server_is_back_at_once_where_nobody_took_over(pair):
    pair.a.serve()
    until(pair.a.leads, pair.a.heard)
    pair.a.agent("n")
    job = pair.a.submit(["true"])
    pair.a.end(signal.SIGKILL)
    pair.a.serve()
    assert pair.taken_over(pair.a) < TAKE_OVER_S
    assert pair.a.wait(job)["state"] == "succeeded"


def test_a_database_that_is_away_is_waited_for(pair):
    pair.start()
    pair.a.agent("n")
    going = pair.a.submit_lone(6)
    until(lambda: pair.a.ran(1), "it runs")
    pair.postgres.stop()
    late = pair.a.start("run", "--detach", "--", "true")
    until(lambda: pair.a.health()["storage"]["status"] == "away", "it is said")
    assert pair.a.health()["status"] == "degraded"
    assert pair.a.http("POST", "/v1/jobs", {"name": "x", "command": "true"})[0] == 503
    pair.postgres.start()
    until(lambda: pair.a.leads() or pair.b.leads(), "one of them leads again")
    leader = pair.a if pair.a.leads() else pair.b
    until(lambda: leader.job(going).get("state") == "succeeded", "it has ended")
    assert leader.job(going)["attempt"] == 1
    job, said = late.communicate(timeout=60)
    assert late.returncode == 0, said
    until(lambda: leader.job(int(job)).get("state") == "succeeded", "what was asked is done")
    if leader is pair.a:  # else it took the database too long to come back
        until(lambda: incidents_of(leader, "store_away"), "it is an incident")


def test_clients_submit_through_take_overs_and_nothing_is_lost_or_twice(pair):
    pair.start()
    pair.a.agent("n")
    ran = pair.folder / "ran"
    ran.mkdir()
    jobs, servers = {}, [pair.a, pair.b]
    for turn in range(2):
        for n in range(6):
            key = f"{turn}.{n}"
            done = servers[0].cli("run", "--detach", "--", "sh", "-c", f"mkdir {ran}/{key}")
            jobs[key] = int(done.stdout)
            if n == 3:
                servers[0].end(signal.SIGKILL)
                servers.reverse()
        pair.taken_over(servers[0])
        servers[1].serve()
        until(servers[1].is_standby, servers[1].heard)
    assert len(set(jobs.values())) == len(jobs)
    for job in jobs.values():
        assert servers[0].wait(job)["state"] == "succeeded"
    assert len(list(ran.iterdir())) == len(jobs)


def test_the_switch_of_a_server_that_kept_it_for_itself_is_brought_to_all(pair):
    pair.start()
    pair.a.cli("chaos", "off")
    for one in (pair.b, pair.a):
        one.end()
    # As servers left it that did not share it.
    (pair.a.state / "fleet" / "chaos.json").rename(pair.a.state / "chaos.json")
    pair.sql("DELETE FROM gyre.files WHERE name = 'chaos.json'")
    pair.a.serve()
    until(pair.a.leads, pair.a.heard)
    assert not pair.a.json("chaos", "status")["on"]
    pair.b.serve()
    until(pair.b.is_standby, pair.b.heard)
    pair.a.end()
    until(pair.b.leads, pair.b.heard)
    assert not pair.b.json("chaos", "status")["on"]
