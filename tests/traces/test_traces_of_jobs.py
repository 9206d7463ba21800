"""A job as one trace, from the request to its first output, and the structured log beside it."""
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

from cloud import PATIENCE_S, Cloud, until
from collector import attributes

HERE = pathlib.Path(__file__).resolve().parent
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
SPEC = {"name": "traced", "command": ["sh", "-c", "echo $TRACEPARENT"], "resources": {"gpu": 1}}


@pytest.fixture
def traced(gyre, tmp_path, collector):
    one = Cloud(gyre, tmp_path)
    one.log = tmp_path / "log.json"
    one.options = ("--virtual-gpus", "4xH100:80GB", "--fsync", "off", "--otlp", collector.url + "/",
                   "--log", str(one.log))
    one.up(*one.options)
    yield one
    one.end()
    one.replay()


def submit(cloud, spec=SPEC, **headers):
    status, _, answer = cloud.http("POST", "/v1/jobs", spec,
                                   {"Content-Type": "application/json", **headers})
    assert status == 201, answer
    return answer["id"]


def named(spans):
    return {span["name"]: span for span in spans}


def test_one_trace_from_the_request_to_the_first_output(traced, collector):
    job = submit(traced, traceparent=f"00-{TRACE}-{CALLER}-01")
    traced.wait(job)
    wanted = {"POST /v1/jobs", "job", "wait", "decide", "start", "root", "ready", "run",
              "first output"}
    spans = named(collector.wait(lambda seen: wanted <= set(named(seen))))
    assert {span["traceId"] for span in spans.values()} == {TRACE}
    request = spans["POST /v1/jobs"]
    assert request["parentSpanId"] == CALLER and request["kind"] == 2
    assert attributes(request)["gyre.job.id"] == str(job)
    root = spans["job"]
    assert root["parentSpanId"] == request["spanId"]
    assert attributes(root)["gyre.state"] == "succeeded" and "status" not in root
    for name in ("wait", "decide", "start", "run"):
        assert spans[name]["parentSpanId"] == root["spanId"], name
    assert spans["ready"]["parentSpanId"] == spans["start"]["spanId"]
    first = spans["first output"]
    assert first["parentSpanId"] == spans["run"]["spanId"]
    assert int(first["endTimeUnixNano"]) <= int(spans["run"]["endTimeUnixNano"])
    assert traced.cli("logs", job).stdout == f"00-{TRACE}-{spans['run']['spanId']}-01\n"
    assert traced.job(job)["trace_id"] == TRACE
    assert collector.resources[0]["service.name"] == "gyre"


def test_without_a_caller_a_job_has_a_trace_of_its_own(traced, collector):
    first, second = submit(traced), submit(traced, traceparent="00-nonsense")
    for job in (first, second):
        traced.wait(job)
    traces = [traced.job(job)["trace_id"] for job in (first, second)]
    assert traces[0] != traces[1]
    spans = collector.wait(lambda seen: [s["name"] for s in seen].count("job") == 2)
    requests = [span for span in spans if span["name"] == "POST /v1/jobs"]
    assert {span["traceId"] for span in requests} == set(traces)
    assert not any("parentSpanId" in span for span in requests)


def test_what_the_caller_does_not_sample_is_passed_on_and_not_told(traced, collector):
    quiet = submit(traced, traceparent=f"00-{TRACE}-{CALLER}-00")
    traced.wait(quiet)
    assert traced.cli("logs", quiet).stdout.startswith(f"00-{TRACE}-")
    loud = submit(traced)
    traced.wait(loud)
    spans = collector.wait(lambda seen: "job" in named(seen))
    assert TRACE not in {span["traceId"] for span in spans}


def test_a_failed_job_is_a_failed_span(traced, collector):
    job = submit(traced, {**SPEC, "command": ["sh", "-c", "exit 3"]})
    traced.wait(job)
    spans = named(collector.wait(lambda seen: {"job", "run"} <= set(named(seen))))
    assert spans["job"]["status"] == {"code": 2, "message": "task_failed"}
    assert spans["run"]["status"]["code"] == 2
    assert attributes(spans["run"])["gyre.exit_code"] == "3"


def test_a_receiver_that_is_away_gets_everything_later(traced, collector):
    collector.refuse = 2
    job = submit(traced)
    traced.wait(job)
    collector.wait(lambda seen: {"POST /v1/jobs", "job", "first output"} <= set(named(seen)))
    text = traced.http("GET", "/metrics")[2].decode()
    assert 'gyre_spans_total{outcome="dropped"} 0\n' in text


def test_a_job_goes_on_in_its_trace_after_a_kill(traced, collector):
    job = submit(traced, {**SPEC, "command": ["sh", "-c", "echo here; sleep 100"]},
                 traceparent=f"00-{TRACE}-{CALLER}-01")
    traced.wait(job, "running")
    collector.wait(lambda seen: "first output" in named(seen))
    traced.kill()
    traced.up(*traced.options)
    traced.cli("stop", job)
    traced.wait(job)
    spans = named(collector.wait(lambda seen: {"job", "run"} <= set(named(seen))))
    assert spans["run"]["traceId"] == TRACE
    assert spans["first output"]["parentSpanId"] == spans["run"]["spanId"]


def test_a_submission_is_the_same_in_another_trace(traced):
    first = submit(traced, **{"Idempotency-Key": "k", "traceparent": f"00-{TRACE}-{CALLER}-01"})
    assert submit(traced, **{"Idempotency-Key": "k"}) == first
    traced.wait(first)


def test_without_traces_a_callers_trace_is_passed_on(gyre, tmp_path):
    cloud = Cloud(gyre, tmp_path).up()
    try:
        job = submit(cloud, traceparent=f"00-{TRACE}-{CALLER}-01")
        cloud.wait(job)
        assert cloud.cli("logs", job).stdout.startswith(f"00-{TRACE}-")
        other = submit(cloud)
        cloud.wait(other)
        assert cloud.cli("logs", other).stdout == "\n"
        assert cloud.job(other)["trace_id"] is None
    finally:
        cloud.end()
    cloud.replay()


def test_an_address_that_is_none_is_said(gyre, tmp_path):
    cloud = Cloud(gyre, tmp_path)
    assert "--otlp: 'localhost:4318' is no address" in cloud.cli(
        "up", "--otlp", "localhost:4318", code=2).stderr
    assert "--log: cannot write to /no/such/folder/log" in cloud.cli(
        "up", "--log", "/no/such/folder/log", code=2).stderr


@pytest.fixture(scope="session")
def published_messages(root):
    """A folder with the published messages; skips where they cannot be had."""
    folder = root / "build/otlp"
    if not (folder / "opentelemetry").exists():
        ran = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target",
                              str(folder), "-r", str(HERE / "requirements.txt")],
                             capture_output=True, text=True, timeout=300, check=False)
        if ran.returncode != 0:
            pytest.skip(f"the messages of OTLP cannot be had: {ran.stderr[-300:]}")
    return folder


def test_what_is_sent_reads_as_the_published_messages(traced, collector, published_messages):
    job = submit(traced, {**SPEC, "command": ["sh", "-c", "echo; exit 7"]})
    traced.wait(job)
    collector.wait(lambda seen: {"job", "first output"} <= set(named(seen)))
    ran = subprocess.run([sys.executable, str(HERE / "read_otlp.py")],
                         input="\n".join(collector.requests), capture_output=True, text=True,
                         env={**os.environ, "PYTHONPATH": str(published_messages)},
                         timeout=PATIENCE_S, check=False)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) == len(collector.spans) > 5


def test_the_log_has_what_changed_and_its_trace(traced):
    job = submit(traced, traceparent=f"00-{TRACE}-{CALLER}-01")
    traced.wait(job)
    traced.http("GET", "/v1/jobs")
    status, _, _ = traced.http("POST", "/v1/jobs", {"command": []})
    assert status == 422
    deadline = time.monotonic() + PATIENCE_S
    while "422" not in (text := traced.log.read_text()) or not text.endswith("\n"):
        assert time.monotonic() < deadline, text
        time.sleep(0.02)
    lines = [json.loads(line) for line in text.splitlines()]
    states = [line["state"] for line in lines if line.get("job") == job]
    assert states == ["queued", "starting", "running", "succeeded"]
    assert {line["trace_id"] for line in lines if line.get("job") == job} == {TRACE}
    requests = [(line["method"], line["status"]) for line in lines if "method" in line]
    assert requests == [("POST", 201), ("POST", 422)]
    assert all({"time", "level", "message"} <= set(line) for line in lines)


def test_the_log_has_nodes_and_incidents(traced):
    node = traced.json("nodes")["nodes"][0]["name"]
    traced.cli("node", "cordon", node)
    traced.cli("node", "uncordon", node)

    def lines():
        found = [json.loads(line) for line in traced.log.read_text().splitlines()]
        return [line["message"] for line in found if line.get("node") == node]

    wanted = [f"node {node} {what}" for what in ("has joined", "is cordoned", "is open to tasks")]
    until(lambda: lines() == wanted, lines)
