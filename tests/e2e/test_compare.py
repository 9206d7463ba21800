"""`gyre simulate --seeds N`: policies over several seeds, and the page that shows it."""
import json

import pytest


def test_policies_over_seeds_with_intervals_and_a_page(offline, root):
    out = offline.folder / "report"
    run = ["simulate", root / "data/philly-excerpt.csv", "--nodes", "20x8", "--policy",
           "fifo,preemptive", "--seeds", "4", "--resample", "1d"]
    done = offline.cli(*run, "--out", out)
    assert "against fifo, seed by seed" in done.stdout and "better" in done.stdout
    document = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert document == json.loads(offline.cli(*run, "-o", "json").stdout)
    assert document["seeds"] == [1, 2, 3, 4]
    wait = next(one for one in document["figures"] if one["name"] == "wait, mean")
    assert [one["policy"] for one in wait["results"]] == ["fifo", "preemptive"]
    difference = wait["results"][1]["difference_percent"]
    assert -100 < difference["low"] <= difference["mean"] <= difference["high"] < 0
    names = {one["name"] for one in document["figures"]}
    assert names >= {"wait in all, longest", "finish-time fairness, max rho", "preemptions",
                     "Jain's index of queues", "jobs that sharing made later",
                     "fragmentation of free GPUs"}
    # The first policy never preempts: no ratio says how much more often the second does.
    stops = next(one for one in document["figures"] if one["name"] == "preemptions")["results"][1]
    assert stops["difference_percent"] is None and stops["difference"]["unit"] == "times"
    assert stops["difference"]["mean"] == pytest.approx(sum(stops["by_seed"]) / 4)
    page = (out / "comparison.html").read_text(encoding="utf-8")
    assert page.count("<svg") == len(document["figures"])
    assert "src=" not in page and "<script" not in page and "<link" not in page


def test_what_would_say_nothing_is_refused(offline, root):
    trace = root / "data/philly-excerpt.csv"
    for more in (["--seeds", "3"], ["--seeds", "1", "--resample", "1d"],
                 ["--seeds", "3", "--resample", "1d", "--journal", "j.sqlite"]):
        done = offline.cli("simulate", trace, "--nodes", "20x8", *more, code=2)
        assert done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
    done = offline.cli("simulate", trace, "--nodes", "20x8", "--resample", "0s", code=2)
    assert "parts of" in done.stderr


def test_a_wrong_trace_is_no_wrong_command_line(offline):
    trace = offline.folder / "wrong.csv"
    trace.write_text("id,submit,duration,gpus\na,0,-3,1\n", encoding="utf-8")
    for more in ([], ["--seeds", "3", "--resample", "1d"]):
        done = offline.cli("simulate", trace, "--nodes", "20x8", *more, code=1)
        assert "wrong.csv:2: column 3" in done.stderr


def test_what_would_be_ignored_is_refused(offline, root):
    run = ["simulate", root / "data/philly-excerpt.csv", "--nodes", "20x8"]
    seeds = ["--seeds", "3", "--resample", "1d"]
    for more in ([*seeds, "--serve", "127.0.0.1:0"], [*seeds, "--tell-starts", "10"],
                 [*seeds, "--journal", "j.sqlite"],
                 ["--tell-starts", "10", "--serve", "127.0.0.1:0"]):
        done = offline.cli(*run, *more, code=2)
        assert "excludes" in done.stderr, done.stderr


def test_the_trace_is_read_once_for_all_seeds(offline, root):
    trace = root / "data/philly-excerpt.csv"
    run = ["--nodes", "20x8", "--policy", "fifo", "--seeds", "3", "--resample", "1d", "-o", "json"]
    named = json.loads(offline.cli("simulate", trace, *run).stdout)
    piped = json.loads(offline.cli("simulate", "-", *run, stdin=trace.read_text()).stdout)
    assert piped["figures"] == named["figures"]
