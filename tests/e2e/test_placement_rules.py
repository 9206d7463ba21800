"""`gyre simulate` with jobs that say with whom they share nodes."""
import json

NODES = "name,gpus,rack\n" + "".join(f"n{i},8,r{i // 2}\n" for i in range(4))


def played(offline, jobs, *more, code=0):
    nodes, trace = offline.folder / "nodes.csv", offline.folder / "trace.csv"
    nodes.write_text(NODES, encoding="utf-8")
    trace.write_text("id,submit,duration,gpus,placement\n" + jobs, encoding="utf-8")
    return offline.cli("simulate", trace, "--nodes", nodes, "--check", "-o", "json", *more,
                       code=code)


def waited(offline, jobs, *more):
    """Seconds that all jobs waited, under each policy."""
    results = json.loads(played(offline, jobs, *more).stdout)["results"]
    count = len(jobs.splitlines())
    return [round(result["wait_s"]["mean"] * count) for result in results]


def test_no_more_of_a_group_start_on_a_node_than_is_allowed(offline):
    five = "".join(f"j{i},0,100,1,group: web; max_per_node: 1\n" for i in range(5))
    assert waited(offline, five, "--policy", "fifo,easy,preemptive,gyre,conservative") == [100] * 5
    assert waited(offline, five.replace(": 1\n", ": 2\n"), "--policy", "fifo") == [0]


def test_what_is_to_be_apart_waits_for_a_node_without_the_other(offline):
    jobs = ("a,0,100,1,group: web; spread: node\n" * 4).replace("a,", "{},").format(*"abcd")
    for policy in ("fifo", "easy", "preemptive", "gyre", "conservative"):
        assert waited(offline, jobs + "e,1,50,1,group: batch; apart: web\n", "--policy",
                      policy) == [99]
    packed = jobs.replace("spread", "pack")  # all on one node
    assert waited(offline, packed + "e,1,50,1,group: batch; apart: web\n", "--policy",
                  "fifo") == [0]


def test_a_mix_of_rules_keeps_all_invariants_under_every_policy(offline):
    rules = ["", "group: a; max_per_node: 1", "group: a; spread: rack", "group: b; apart: a",
             "group: c; near: b; max_per_node: 2", "group: b; pack: rack"]
    jobs = "".join(f"j{i},{i * 3},{20 + i * 37 % 90},{1 + i % 8},{rules[i % len(rules)]}\n"
                   for i in range(300))
    done = json.loads(played(offline, jobs, "--policy",
                             "fifo,easy,preemptive,gyre,conservative").stdout)
    assert [result["finished"] for result in done["results"]] == [300] * 5


def test_rules_that_do_not_read_are_told_with_their_place(offline):
    for wrong in ("max_per_node: 0", "spread: racks", "spread: rack; pack: rack", "near"):
        said = played(offline, f"a,0,1,1,{wrong}\n", code=1).stderr
        assert "trace.csv:2: column 5 ('placement'): " in said and "placement rule" in said
