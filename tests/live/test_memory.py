"""What Gyre did and why is known after a kill and a restart, and event streams go on over it."""
import http.client
import json
import signal

from cloud import PATIENCE_S, until


def all_events(server):
    page = server.request("GET", "/v1/events?limit=1000")[1]
    assert not page["missed"] and not page["more"]
    return page["events"]


def all_decisions(server):
    return server.request("GET", "/v1/decisions?limit=1000")[1]["decisions"]


def events_of(server, page):
    return server.request("GET", page)[1]["events"]


def read_stream(server, count, last_id):
    """The next `count` events of the stream that goes on after `last_id`."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    connection.request("GET", "/v1/events?follow=true", headers={"Last-Event-ID": last_id})
    response = connection.getresponse()
    events = []
    while len(events) < count:
        line = response.readline()
        assert line and line != b"event: missed\n"
        if line.startswith(b"data: "):
            events.append(json.loads(line[6:]))
    connection.close()
    return events


def make_history(server):
    """A start, a preemption, retries and their end, and a stop; none of them goes on."""
    low = server.submit("exec sleep 1000", resources={"gpu": 1}, priority=1,
                        preemptible=True)
    server.wait(low, "running")
    high = server.submit("true", resources={"gpu": 1}, priority=9)
    assert server.wait(high)["state"] == "succeeded"
    failing = server.submit("exit 3", retry={"max": 1, "on": ["error"], "backoff": "1ms..1ms"})
    assert server.wait(failing)["state"] == "failed"
    server.stop_job(low)
    server.wait(low)


def test_what_was_done_and_why_outlives_a_kill(server):
    options = ("--virtual-gpus", "1xH100:80GB", "--policy", "preemptive")
    server.up(*options)
    make_history(server)
    events, decisions = all_events(server), all_decisions(server)
    kinds = {one["kind"] for one in decisions}
    assert {"start", "preempt", "requeue", "give-up"} <= kinds, decisions
    for how in (signal.SIGKILL, signal.SIGTERM):
        server.end(how)
        server.up(*options)
        assert all_events(server) == events
        assert all_decisions(server) == decisions
    job = server.submit("true")
    server.wait(job)
    assert all_events(server)[:len(events)] == events
    assert all_decisions(server)[-len(decisions):] == decisions, "the newest come first"


def test_an_event_stream_goes_on_over_a_kill_without_gap_or_double(server):
    server.up()
    server.wait(server.submit("true"))
    ids = [event["id"] for event in all_events(server)]
    seen = ids[:2]
    server.kill()
    server.up()
    job = server.submit("true")
    server.wait(job)
    now = [event["id"] for event in all_events(server)]
    assert now[:len(ids)] == ids and len(now) > len(ids)
    seen += [event["id"] for event in read_stream(server, len(now) - 2, seen[-1])]
    assert seen == now and len(set(seen)) == len(seen)


def test_events_of_services_outlive_a_kill(server):
    server.up()
    spec = {"name": "web", "command": "sleep 1000"}
    assert server.request("POST", "/v1/services", spec)[0] == 200
    page = "/v1/services/web/events?limit=100"
    until(lambda: "replica_started" in [one["event"] for one in events_of(server, page)],
          lambda: events_of(server, page))
    events = events_of(server, page)
    server.kill()
    server.up()
    assert events_of(server, page)[:len(events)] == events
    assert server.request("DELETE", "/v1/services/web")[0] == 202
    until(lambda: not server.request("GET", "/v1/services")[1]["services"], "it is gone")
