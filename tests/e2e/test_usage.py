"""Wrong use of every verb: one clear error, the right exit code, nothing on stdout."""
import contextlib
import os
import socket
import sqlite3
import subprocess

import pytest


def refused(one, arguments, code, *words, **more):
    result = one.cli(*arguments, code=code, **more)
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr, result.stderr
    assert result.stderr.startswith("gyre:") and result.stderr.count("gyre:") == 1
    return result


@pytest.mark.parametrize("arguments, words", [
    (["sbumit", "x"], ["'sbumit'", "did you mean 'submit'"]),
    (["frobnicate"], ["'frobnicate'"]),
    (["run", "--gpus", "1", "--", "true"], ["'--gpus'", "did you mean '--gpu'"]),
    (["run", "--prioriti=3", "--", "true"], ["did you mean '--priority'"]),
    (["--server", "http://127.0.0.1:1", "ps"], ["'--server' comes before", "gyre COMMAND"]),
    (["--verison"], ["'--verison'", "did you mean '--version'"]),
    (["ps", "--al"], ["'--al'", "did you mean '--all'"]),
    (["ps", "extra"], ["'extra'"]),
    (["ps", "-o", "xml"], ["xml"]),
    (["run"], ["gyre run"]),
    (["run", "--priority", "11", "--", "true"], ["0"]),
    (["run", "--env", "NOVALUE", "--", "true"], ["NAME=VALUE"]),
    (["run", "--nodes", "many", "--", "true"], ["many"]),
    (["logs"], ["JOB"]),
    (["logs", "abc"], ["'abc'", "whole numbers"]),
    (["logs", "-1"], []),
    (["stop"], ["JOB"]),
    (["stop", "1.5"], ["'1.5'"]),
    (["explain", "99999999999999999999"], ["no job id"]),
    (["events", "x"], ["'x'"]),
    (["submit"], ["FILE"]),
    (["submit", "no-such-file.yaml"], ["no-such-file.yaml"]),
    (["submit", "."], ["'.'"]),
    (["plan", "no-such-file.yaml"], ["no-such-file.yaml"]),
    (["submit", "--wait", "--timeout", "soon", "x"], ["soon"]),
    (["submit", "--timeout", "5m", "x"], ["--timeout", "--wait"]),
    (["policy", "shows"], ["gyre policy has no 'shows'", "did you mean 'show'", "history"]),
    (["node", "frobnicate", "x"], ["gyre node has no 'frobnicate'; it has ", "drain"]),
    (["service"], ["gyre service: say what: ", "apply"]),
    (["chaos", "day.yaml", "--seeds", "0"], ["--seeds"]),
    (["policy", "set"], ["POLICY"]),
    (["simulate"], ["TRACE"]),
    (["simulate", "x"], ["--nodes"]),
    (["simulate", "x", "--nodes", "1x1", "--policy", "fifi"], ["fifi"]),
    (["simulate", "x", "--nodes", "1x1", "--format", "xls"], ["xls"]),
    (["simulate", "x", "--nodes", "1x1", "--seed", "-1"], []),
    (["simulate", "x", "--nodes", "0x1"], ["0x1"]),
    (["simulate", "x", "--nodes", "1x99"], ["1x99", "16"]),
    (["simulate", "x", "--nodes", "1x1", "--policy", "fifo,fifo"], ["twice"]),
    (["simulate", "x", "--nodes", "1x1", "--mtbf", "0s"], ["above 0"]),
    (["simulate", "x", "--nodes", "1x1", "--mtbf", "5 parsecs"], ["--mtbf", "5 parsecs", "1h30m"]),
    (["simulate", "x", "--nodes", "1x1", "--mtbf", "1h", "--fault-trace", "y"], ["not both"]),
    (["simulate", "x", "--nodes", "1x1", "--limit", "-1"],
     ["--limit: '-1' is no whole number of at least 1 "]),
    (["simulate", "x", "--nodes", "1x1", "--seeds", "0"],
     ["--seeds: '0' is no whole number of at least 1 "]),
    (["replay"], ["JOURNAL"]),
    (["completion", "tcsh"], ["tcsh"]),
    (["up", "--listen", "0.0.0.0:1"], ["0.0.0.0", "loopback", "ssh"]),
    (["up", "--listen", "localhost:http"], ["port"]),
    (["up", "--virtual-gpus", "lots"], ["lots"]),
    (["up", "--virtual-gpus", "8xH100:80"], ["8xH100:80", "with a unit"]),
    (["up", "--policy", "fifi"], ["fifi"]),
    (["up", "--policy", "no-such-file.yaml"], ["no-such-file.yaml"]),
    (["server", "--policy", "fifo,easy"], ["--policy: one policy decides"]),
    (["up", "--fsync", "never"], ["never"]),
    (["ps", "--server", "ftp://x/y"], ["http://127.0.0.1:8642"]),
])
def test_a_wrong_command_line_is_2(offline, arguments, words):
    if arguments[0] == "up":
        words = [word if word != "loopback" else "127.0.0.1" for word in words]
    refused(offline, arguments, 2, *words)


@pytest.mark.parametrize("arguments", [
    ["ps"], ["nodes"], ["events"], ["logs", "1"], ["stop", "1"], ["explain", "1"],
    ["run", "--", "true"]])
def test_no_server_is_1_and_says_what_to_do(offline, arguments):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        offline.environment["GYRE_SERVER"] = address
        refused(offline, arguments, 1, address, "start one with 'gyre up'")


@pytest.mark.parametrize("spec, words", [
    ("command: x\npirority: 3\n", ["pirority", "priority", "line 2"]),
    ("command: x\nresources: {memory: 16XB}\n", ["16XB"]),
    ("command: x\ndeadline: 5 parsecs\n", ["deadline"]),
    ("name: only\n", ["command"]),
    ("command: [\n", []),
    ("", []),
    ("- a\n", []),
    ("command: x\nnodes: -1\n", ["nodes"]),
    ("command: x\nbudget: {usd: 1}\n", ["budget"]),
])
def test_a_wrong_spec_is_2_and_names_the_place(offline, spec, words):
    for verb in ("submit", "plan"):
        refused(offline, [verb, "-"], 2, *words, stdin=spec)


def test_wrong_resources_are_2(cloud):
    refused(cloud, ["run", "--gpu", "H100:80XB:1", "--", "true"], 2, "80XB")
    refused(cloud, ["run", "--memory", "lots", "--", "true"], 2, "lots")
    refused(cloud, ["run", "--queue", "nope", "--", "true"], 2, "nope", "default")
    result = refused(cloud, ["run", "--gpu", "1.5", "--", "true"], 2, "whole ones")
    assert result.stderr.startswith("gyre: resources.gpu: ")


def test_a_file_of_json_is_read_as_json(offline):
    path = offline.folder / "job.json"
    path.write_text('{"command": "x",}', encoding="utf-8")
    refused(offline, ["submit", path], 2, str(path), "line 1", "not JSON")


def test_unknown_jobs_are_1(cloud):
    for arguments in (["logs", "77"], ["logs", "-f", "77"], ["stop", "77"], ["explain", "77"]):
        refused(cloud, arguments, 1, "77")


def test_help_and_version(offline):
    assert offline.cli("--version").stdout.startswith("gyre ")
    assert "gyre up" in offline.cli("--help").stdout
    for verb in ("up submit run plan ps logs stop explain nodes events simulate replay doctor "
                 "completion").split():
        text = offline.cli(verb, "--help").stdout
        assert "Examples:" in text and f"gyre {verb}" in text, verb
    assert offline.cli(code=2).stdout == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_parse(offline, shell):
    script = offline.cli("completion", shell).stdout
    assert "simulate" in script
    if shell == "bash":
        probe = script + '\nCOMP_WORDS=(gyre sim); COMP_CWORD=1; _gyre; echo "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-c", probe], capture_output=True, text=True, check=True)
        assert done.stdout == "simulate\n"


def test_a_second_server_on_the_folder_is_refused(cloud):
    result = cloud.cli("up", "--listen", "0", code=1)
    assert "another server" in result.stderr and str(cloud.port) in result.stderr


def test_a_port_in_use_is_refused(cloud, program, tmp_path):
    result = cloud.cli("up", "--listen", cloud.port, "--state", tmp_path / "other", code=1)
    assert f"port {cloud.port} is in use" in result.stderr and "--listen" in result.stderr


def test_a_state_folder_that_cannot_be_is_refused(offline):
    (offline.folder / "file").write_text("x", encoding="utf-8")
    result = offline.cli("up", "--listen", "0", "--state", offline.folder / "file", code=1)
    assert "state folder" in result.stderr


def test_a_store_that_is_none_is_refused(offline):
    offline.state.mkdir()
    (offline.state / "journal.sqlite").write_bytes(b"no journal at all" * 100)
    assert offline.cli("up", "--listen", "0", code=1).stderr.count("\n") == 1
    assert offline.cli("replay", offline.state / "journal.sqlite", code=1).stdout == ""
    assert offline.cli("replay", offline.folder / "nothing", code=1).stdout == ""


def test_a_store_from_a_newer_version_is_refused_and_left_as_it_was(cloud):
    cloud.end()
    with contextlib.closing(sqlite3.connect(cloud.state / "journal.sqlite")) as store:
        version = store.execute("PRAGMA user_version").fetchone()[0]
        store.execute("PRAGMA user_version = 99")
        for verb in (["up", "--listen", "0"], ["replay", cloud.state / "journal.sqlite"]):
            result = refused(cloud, verb, 1, "version 99", "use the newer Gyre")
            assert result.stderr.count("\n") == 1
        store.execute(f"PRAGMA user_version = {version}")


def test_the_state_folder_is_the_users_own(cloud):
    assert os.stat(cloud.state).st_mode & 0o777 == 0o700
    findings = cloud.json("doctor")["findings"]
    subjects = {finding["subject"] for finding in findings}
    assert subjects >= {"state folder", "disk", "server", "GPUs"}
    assert all(finding["level"] in ("ok", "warn") for finding in findings)
    server = [finding for finding in findings if finding["subject"] == "server"]
    assert server[0]["level"] == "ok"


def test_a_report_that_cannot_be_written_leaves_the_older_one(offline):
    trace, out = offline.folder / "jobs.csv", offline.folder / "report"
    trace.write_text("id,submit,duration,gpus\na,0,10,1\n", encoding="utf-8")
    (out / "report.html.tmp").mkdir(parents=True)  # no file can be made there
    (out / "report.html").write_text("older", encoding="utf-8")
    told = refused(offline, ["simulate", trace, "--nodes", "1x8", "--out", out], 1,
                   "cannot write", "report.html").stderr
    assert told.count("\n") == 1, told
    assert (out / "report.html").read_text(encoding="utf-8") == "older"
