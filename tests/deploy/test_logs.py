"""Vector's and Loki's files, read as Vector would, over what a server and an agent really write.

Neither program is in a registry of packages that is used here, so they themselves do not run."""
import json
import pathlib
import re

import pytest
import yaml

from cloud import until
from fleets import Fleet

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def vector():
    return yaml.safe_load((DEPLOY / "vector/vector.yaml").read_text())


class Logged:
    """A server and an agent that keep their logs, and a task of each outcome on the agent."""

    def __init__(self, gyre, folder):
        self.fleet = Fleet(gyre, folder)
        self.logs = folder / "log"
        self.logs.mkdir()
        try:
            self.fleet.serve("--log", self.logs / "server.json")
            self.agent = self.fleet.agent("a", "--log", self.logs / "agent.json")
            headers = {"Content-Type": "application/json",
                       "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
            spec = {"command": "echo said; echo wrong >&2; exit 3", "resources": {"gpu": 1}}
            self.failed = self.fleet.http("POST", "/v1/jobs", spec, headers)[2]["id"]
            self.fleet.wait(self.failed, "failed")
            self.fine = self.fleet.submit("true")
            self.fleet.wait(self.fine, "succeeded")
        except BaseException:
            self.fleet.close()
            raise

    def lines(self, name):
        return [json.loads(line) for line in (self.logs / name).read_text().splitlines()]

    def found(self, pattern, state):
        """What Vector's file source would read."""
        pattern = pattern.replace("${GYRE_STATE}", str(state)).replace("/var/log/gyre",
                                                                       str(self.logs))
        return list(pathlib.Path("/").glob(pattern.lstrip("/")))


@pytest.fixture(scope="module")
def logged(gyre, tmp_path_factory):
    one = Logged(gyre, tmp_path_factory.mktemp("logged"))
    yield one
    one.fleet.close()


def test_an_agent_tells_starts_and_ends_with_their_traces(logged):
    until(lambda: any(line.get("job") == logged.fine and "outcome" in line
                      for line in logged.lines("agent.json")), "it is told")
    lines = logged.lines("agent.json")
    assert all({"time", "level", "message", "node"} <= set(line) for line in lines)
    assert {line["node"] for line in lines} == {"a"}
    began, ended = [line for line in lines if line.get("job") == logged.failed]
    assert began["message"] == f"task {logged.failed}.1.0 has started"
    assert (ended["level"], ended["outcome"], ended["code"]) == ("warn", "failed", 3)
    assert began["trace_id"] == ended["trace_id"] == TRACE
    fine = [line for line in lines if line.get("job") == logged.fine][-1]
    assert (fine["level"], fine["outcome"]) == ("info", "succeeded")
    assert lines[0]["message"].startswith("connected")


def test_a_log_that_cannot_be_written_is_refused_before_the_token_is_used(logged):
    agent = logged.fleet.new_agent("b")
    agent.start(logged.fleet.token(), "--log", "/nowhere/at/all.json")
    assert agent.process.wait(60) == 2
    agent.process = None
    assert "--log: cannot write to /nowhere/at/all.json" in agent.said()
    assert "joined" not in agent.said()


@pytest.mark.parametrize("source, where, count", [
    ("gyre_server", "server", 1), ("gyre_agent", "agent", 1), ("gyre_jobs", "agent", 4)])
def test_each_source_finds_its_files(logged, vector, source, where, count):
    state = {"server": logged.fleet.state, "agent": logged.agent.folder}[where]
    found = [path for pattern in vector["sources"][source]["include"]
             for path in logged.found(pattern, state)]
    assert len(found) == count, found


def test_what_is_fed_on_is_there(vector):
    fed = {name for part in ("transforms", "sinks") for one in vector[part].values()
           for name in one["inputs"]}
    assert fed <= set(vector["sources"]) | set(vector["transforms"])
    assert {one["inputs"][0] for one in vector["sinks"].values()} == set(vector["transforms"])


@pytest.mark.parametrize("sink, log", [("loki_server", "server.json"),
                                       ("loki_agent", "agent.json")])
def test_each_line_has_what_its_labels_ask_for(logged, vector, sink, log):
    labels = vector["sinks"][sink]["labels"].values()
    asked = {name for label in labels for name in re.findall(r"{{ (\w+) }}", label)}
    assert "level" in asked
    for line in logged.lines(log):
        assert asked | {"time"} <= set(line), line
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["time"])


def test_the_paths_of_job_logs_are_taken_apart(logged, vector):
    program = vector["transforms"]["jobs"]["source"]
    pattern = re.compile(re.search(r"r'(.*)'", program)[1])
    sink = vector["sinks"]["loki_jobs"]
    asked = {name for part in ("labels", "structured_metadata") for label in sink[part].values()
             for name in re.findall(r"{{ (\w+) }}", label)}
    paths = [path for include in vector["sources"]["gyre_jobs"]["include"]
             for path in logged.found(include, logged.agent.folder)]
    parts = [pattern.search(str(path)).groupdict() for path in paths]
    assert all(asked <= set(one) for one in parts)
    assert {(int(one["job"]), one["stream"]) for one in parts} == {
        (job, stream) for job in (logged.failed, logged.fine) for stream in ("stdout", "stderr")}


def test_loki_listens_where_vector_sends(vector):
    loki = yaml.safe_load((DEPLOY / "loki/loki.yaml").read_text())
    address = loki["server"]["http_listen_address"], loki["server"]["http_listen_port"]
    for sink in vector["sinks"].values():
        assert sink["endpoint"] == "http://{}:{}".format(*address)
    assert loki["limits_config"]["allow_structured_metadata"] is True
    assert loki["auth_enabled"] is False
