"""The policy in force: seen, changed while the server runs, kept, replayed, and taken back."""
import json

import pytest

MINE = """version: 1
name: mine
base: easy
starve_after: 1h
"""


def put(cloud, text, kind="application/yaml"):
    return cloud.http("PUT", "/v1/policy", text.encode(), {"Content-Type": kind})


def names(cloud):
    return [one["name"] for one in cloud.json("policy", "history")]


def test_it_is_printed_as_a_file_that_changes_nothing(cloud):
    text = cloud.cli("policy", "show").stdout
    path = cloud.folder / "shown.yaml"
    path.write_text(text)
    assert cloud.cli("policy", "set", path).stdout == text
    assert len(names(cloud)) == 1
    assert cloud.json("policy", "show")["event"] == 1


def test_another_decides_from_now_on_is_kept_and_replays_alike(cloud):
    before = cloud.json("policy", "show")["name"]
    first = cloud.run("--", "sleep", "1000")
    path = cloud.folder / "mine.yaml"
    path.write_text(MINE)
    said = cloud.cli("policy", "set", path).stdout
    assert "name: mine" in said and "starve_after: 1h" in said
    assert cloud.http("GET", "/readyz")[2]["policy"] == "mine"
    assert cloud.http("GET", "/v1/policies")[2]["live"] == "mine"
    cloud.cli("policy", "set", "tiresias+fgd")
    cloud.cli("run", "--", "true")
    assert names(cloud) == ["tiresias+fgd", "mine", before]
    newest = cloud.json("policy", "history")[0]
    assert newest["description"].endswith("; places by fgd") and newest["since"]
    cloud.kill()
    cloud.up()
    assert cloud.job(first)["state"] == "running"
    now = cloud.json("policy", "show")
    assert now["name"] == "tiresias+fgd"
    assert (now["since"], now["event"]) == (newest["since"], newest["event"])
    assert names(cloud) == ["tiresias+fgd", "mine", before], "what was before is known too"
    cloud.cli("policy", "set", before)
    cloud.cli("stop", first)
    cloud.wait(first)
    cloud.replay()


@pytest.mark.parametrize("text, pointer, words", [
    ("version: 1\nname: a\norder: fastest\n", "/order", "expected one of"),
    ("version: 1\nname: easy\nstarve_after: 1h\n", "/name", "is a built-in policy"),
    ("version: 1\nname: a b\n", "/name", "expected letters"),
    ("version: 1\nname: a\nbackfil: easy\n", "/backfil", "no such setting"),
    ("", "", "is empty"),
    ("[1, 2]", "", "expected a map"),
    ("a: [", "", ""),
])
def test_what_is_wrong_with_a_file_is_said_and_nothing_changes(cloud, text, pointer, words):
    before = names(cloud)
    status, _, problem = put(cloud, text)
    assert status == 422, problem
    assert problem["type"].endswith("invalid-policy-spec")
    assert problem["errors"][0]["pointer"] == pointer and words in problem["detail"], problem
    assert names(cloud) == before


def test_json_is_taken_and_other_kinds_are_not(cloud):
    status, _, answer = put(cloud, json.dumps({"version": 1, "name": "j", "base": "sjf"}),
                            "application/json")
    assert (status, answer["name"], answer["history"][0]["name"]) == (200, "j", "j")
    assert put(cloud, MINE, "text/plain")[0] == 415
    status, headers, _ = cloud.http("DELETE", "/v1/policy")
    assert status == 405 and "PUT" in headers["Allow"]


def test_the_command_line_refuses_before_it_asks(cloud):
    assert "did you mean 'easy'" in cloud.cli("policy", "set", "eazy", code=2).stderr
    assert "POLICY: name one" in cloud.cli("policy", "set", "", code=2).stderr
    assert "one policy decides" in cloud.cli("policy", "set", "easy,sjf", code=2).stderr
    path = cloud.folder / "broken.yaml"
    path.write_text("version: 1\nname: x\norder: 7\n")
    assert "order: expected one of" in cloud.cli("policy", "set", path, code=2).stderr


def test_a_server_starts_with_a_policy_file(offline):
    path = offline.folder / "mine.yaml"
    path.write_text(MINE)
    server = offline.up("--policy", str(path))
    try:
        assert names(server)[0] == "mine"
    finally:
        server.end()
    path.write_text("version: 1\nname: x\norder: 7\n")
    assert f"{path}: line 3" in offline.cli("up", "--policy", path, "--listen", "0", code=2).stderr


def test_a_file_is_checked_without_a_server(offline):
    path = offline.folder / "mine.yaml"
    path.write_text(MINE)
    assert "is valid: policy 'mine'" in offline.cli("policy", "validate", path).stdout
    path.write_text("version: 1\nname: x\norder: gyre\nbackfill: easy\nrun_min: 1m\n")
    said = offline.cli("policy", "validate", path, code=2).stderr
    for words in ("line 3, column 8: order: this order needs 'durations: learned'",
                  "line 4, column 11: backfill: this backfill plans with declared",
                  "line 5, column 10: run_min: this policy does not go by it"):
        assert words in said, said


def test_runs_of_the_lab_are_removed(cloud):
    cloud.cli("run", "--", "true")
    run = cloud.cli("lab", "run", "--policy", "fifo").stdout.strip()
    other = cloud.cli("lab", "run", "--policy", "sjf").stdout.strip()
    assert cloud.cli("lab", "rm", run, other).stdout == ""
    assert cloud.json("lab", "ls")["runs"] == []
    assert f"there is no run {run}" in cloud.cli("lab", "rm", run, code=1).stderr
