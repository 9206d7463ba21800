"""The first output of tasks on other machines, as their agents tell it."""
import pytest

from fleets import Fleet

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def fleet(gyre, tmp_path, collector):
    one = Fleet(gyre, tmp_path)
    one.serve("--otlp", collector.url)
    one.agent("a")
    yield one
    one.close()


def test_the_first_output_of_a_task_on_an_agent_is_in_its_jobs_trace(fleet, collector):
    status, _, answer = fleet.http(
        "POST", "/v1/jobs", {"command": ["sh", "-c", "echo begun; echo over"]},
        {"Content-Type": "application/json", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    assert status == 201, answer
    fleet.wait(answer["id"])
    spans = collector.wait(lambda seen: {"run", "first output"} <= {one["name"] for one in seen})
    named = {span["name"]: span for span in spans}
    run, first = named["run"], named["first output"]
    assert first["traceId"] == TRACE and first["parentSpanId"] == run["spanId"]
    assert first["startTimeUnixNano"] == run["startTimeUnixNano"]
    assert int(first["endTimeUnixNano"]) >= int(first["startTimeUnixNano"])
