"""`gyre replay JOURNAL --policy`: what would have happened, beside what did."""
import json
import sqlite3

FIGURES = ["jobs", "finished", "makespan_s", "wait_s", "jct_s", "preemptions"]


def figures(result):
    return [result[key] for key in FIGURES]


def columns(document):
    return {result["policy"]: result for result in document["results"]}


def test_a_simulated_life_repeats_itself_and_goes_otherwise_under_another_policy(offline, root):
    journal = offline.folder / "run.sqlite"
    simulate = ["simulate", root / "data/philly-excerpt.csv", "--nodes", "20x8", "-o", "json"]
    done = json.loads(offline.cli(*simulate, "--policy", "fifo", "--journal", journal).stdout)
    other = json.loads(offline.cli(*simulate, "--policy", "preemptive").stdout)
    document = offline.json("replay", journal, "--policy", "preemptive")
    assert list(columns(document)) == ["recorded", "fifo", "preemptive"]
    assert figures(columns(document)["recorded"]) == figures(done["results"][0])
    assert figures(columns(document)["fifo"]) == figures(done["results"][0])
    assert figures(columns(document)["preemptive"]) == figures(other["results"][0])
    assert document["trace"] == {"jobs": 2400, "skipped": 0, "name": "run.sqlite",
                                 "format": "journal"}
    assert document["calibration"] == {"jobs": 2400, "on_time": 2400, "difference_mean_s": 0}


def test_the_table_and_the_files_have_every_column(offline, root):
    journal = offline.folder / "run.sqlite"
    offline.cli("simulate", root / "data/philly-excerpt.csv", "--nodes", "20x8", "--limit", "200",
                "--policy", "fifo", "--journal", journal)
    policy = offline.folder / "mine.yaml"
    policy.write_text("version: 1\nname: mine\norder: sjf\nbackfill: easy\n", encoding="utf-8")
    out = offline.folder / "report"
    done = offline.cli("replay", journal, "--policy", f"easy,{policy}", "--out", out)
    head = next(line for line in done.stdout.splitlines() if line.startswith("policy"))
    assert head.split() == ["policy", "recorded", "fifo", "easy", "mine"]
    assert "recorded" in (out / "report.html").read_text(encoding="utf-8")
    assert (out / "jobs-mine.csv").exists()


def test_a_live_cluster_under_another_policy(cloud):
    first = cloud.run("--gpu", "4", "--", "sleep", "1")
    waits = cloud.run("--gpu", "4", "--", "true")
    cloud.wait(first)
    cloud.wait(waits)
    cloud.run("--gpu", "4", "--", "sleep", "100")
    never_ends = cloud.run("--gpu", "4", "--", "sleep", "100")
    document = cloud.json("replay", cloud.state, "--policy", "fifo")
    recorded, simulated = document["results"][0], document["results"][1]
    assert recorded["policy"] == "recorded" and recorded["finished"] == 2
    assert simulated["finished"] == 4 and simulated["waiting_at_end"] == 0
    assert "fifo" in columns(document)
    assert any("2 jobs were stopped, or had not ended" in note for note in document["notes"])
    assert abs(recorded["wait_s"]["p50"] - simulated["wait_s"]["p50"]) < 60
    cloud.cli("stop", first, waits, never_ends, code=None)


def test_what_cannot_be_tried_is_refused_in_one_line(offline, root):
    def refused(code, *arguments):
        done = offline.cli("replay", *arguments, code=code)
        assert done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    empty = offline.folder / "empty.sqlite"
    trace = offline.folder / "jobs.csv"
    trace.write_text("id,submit,duration,gpus\na,0,10,1\nb,1,10,1\n", encoding="utf-8")
    offline.cli("simulate", trace, "--nodes", "1x8", "--policy", "fifo", "--journal", empty)
    assert "easyy" in refused(2, empty, "--policy", "easyy")
    assert "--policy" in refused(2, empty, "--out", "x")
    assert "nothing" in refused(1, offline.folder / "nothing", "--policy", "easy")
    late = refused(2, empty, "--policy", "easy", "--since", "2027-01-01T00:00:00Z")
    assert "nothing is recorded from 2027-01-01T00:00:00.000Z on: it is of 1970-01-01T" in late
    with sqlite3.connect(empty) as store:
        store.execute("UPDATE records SET body = replace(body, 'job_submitted', 'tick') "
                      "WHERE body LIKE '%job_submitted%'")
    store.close()
    assert str(empty) in refused(1, empty, "--policy", "easy")
    with sqlite3.connect(empty) as store:
        store.execute("DELETE FROM records")
    store.close()
    assert "no job was ever submitted" in refused(1, empty, "--policy", "easy")
