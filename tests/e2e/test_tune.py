"""`gyre tune`: a search for a policy's settings that can be interrupted, and what it may claim."""
import json
import os
import signal
import subprocess
import time

import pytest

from cloud import PATIENCE_S

SEARCH = ["--nodes", "10x8", "--policy", "tiresias", "--evaluations", "40"]


@pytest.fixture(autouse=True)
def with_nlopt(offline, root):
    done = offline.cli("tune", root / "data/philly-excerpt.csv", "--nodes", "10x8", "--policy",
                       "easy", code=None)
    if "built without NLopt" in done.stderr:
        pytest.skip("this Gyre was built without NLopt")


def test_a_search_writes_a_policy_that_can_be_simulated(offline, root):
    trace, out = root / "data/philly-excerpt.csv", offline.folder / "tuned"
    done = offline.cli("tune", trace, *SEARCH, "--out", out)
    assert "policies tried on 5 windows, 3 kept apart" in done.stdout
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["policy"] == "tiresias" and report["jobs"] == 2400
    assert set(report["found"]) == set(report["base"]) >= {"run_min_s", "level_gpu_seconds"}
    held = report["kept_percent"]
    assert held["low"] <= held["mean"] <= held["high"]
    assert report["holds"] == (held["high"] < 0)
    assert ("stays as it is" in done.stdout) != report["holds"]
    compared = json.loads(offline.cli("simulate", trace, "--nodes", "10x8", "--policy",
                                      f"tiresias,{out}/policy.yaml", "-o", "json").stdout)
    assert [one["policy"] for one in compared["results"]] == ["tiresias", "tiresias-tuned"]
    # What does not hold is not written.
    if not report["holds"]:
        first, second = compared["results"]
        assert first["jct_s"] == second["jct_s"]


def test_a_killed_search_goes_on_where_it_was(offline, root):
    trace, out = root / "data/philly-excerpt.csv", offline.folder / "killed"
    whole = json.loads(offline.cli("tune", trace, *SEARCH, "-o", "json").stdout)
    command = [str(offline.program), "tune", str(trace), *SEARCH, "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as search:
        deadline = time.monotonic() + PATIENCE_S
        trials = out / "trials.jsonl"
        while not trials.exists() or trials.read_bytes().count(b"\n") < 5:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        search.send_signal(signal.SIGKILL)
    with open(trials, "ab") as torn:
        torn.write(b'{"settings":[1,')
    kept = trials.read_bytes().count(b"\n")
    done = offline.cli("tune", trace, *SEARCH, "--out", out, "-o", "json")
    assert json.loads(done.stdout) == whole
    lines = [json.loads(line) for line in trials.read_text(encoding="utf-8").splitlines()]
    assert len(lines) > kept and len({str(one.get("settings")) for one in lines}) == len(lines)


def test_bad_input_is_refused_in_one_line(offline, root):
    trace, out = root / "data/philly-excerpt.csv", offline.folder / "bad"
    done = offline.cli("tune", trace, "--nodes", "10x8", "--policy", "easy", code=2)
    assert "nothing of 'easy' can be tuned" in done.stderr
    done = offline.cli("tune", trace, "--nodes", "10x8", "--policy", "gyre,easy", code=2)
    assert "one policy is tuned at a time" in done.stderr
    done = offline.cli("tune", trace, *SEARCH, "--keep", "7", code=2)
    assert "2 to 6 are possible" in done.stderr
    done = offline.cli("tune", "none.csv", *SEARCH, code=1)
    assert "none.csv" in done.stderr
    offline.cli("tune", trace, *SEARCH, "--out", out)
    done = offline.cli("tune", trace, *SEARCH, "--objective", "slowdown", "--out", out, code=2)
    assert "of a search with other inputs" in done.stderr
    (out / "trials.jsonl").write_text('{"tune":1}\n', encoding="utf-8")
    done = offline.cli("tune", trace, *SEARCH, "--out", out, code=2)
    assert "of a search with other inputs" in done.stderr
    for wrong in ("[1]\n", "\n", '{"settings":[1],"ratio":1}\n'):
        (out / "trials.jsonl").write_text(wrong, encoding="utf-8")
        done = offline.cli("tune", trace, *SEARCH, "--out", out, code=2)
        assert "line 1 is nothing that a search wrote" in done.stderr
    if os.geteuid() != 0:
        out.chmod(0o500)
        offline.cli("tune", trace, *SEARCH, "--out", out / "below", code=1)
