"""`gyre simulate` with nodes in racks and jobs that want to be near to each other."""
import json

NODES = "name,gpus,rack\n" + "".join(f"n{i},8,r{i // 2}\n" for i in range(4))


def played(offline, how, *more, code=0):
    nodes, trace = offline.folder / "nodes.csv", offline.folder / "trace.csv"
    nodes.write_text(NODES, encoding="utf-8")
    trace.write_text(
        "id,submit,duration,gpus,nodes,topology\n"
        "first,0,50,8,1,\nsecond,1,200,8,1,\nthird,2,100,8,1,\n"  # on n0, n1, n2
        f"wide,3,10,16,2,{how}\n", encoding="utf-8")
    return offline.cli("simulate", trace, "--nodes", nodes, "--policy", "fifo", "--check", "-o",
                       "json", *more, code=code)


def waited(offline, how):
    return json.loads(played(offline, how).stdout)["results"][0]["wait_s"]["mean"] * 4


def test_required_waits_for_one_rack_and_preferred_takes_what_there_is(offline):
    assert round(waited(offline, "required:rack")) == 99  # n2 and n3, when third is done
    assert round(waited(offline, "preferred:rack")) == 47  # n0 and n3, when first is
    assert round(waited(offline, "")) == 47


def test_what_no_rack_can_hold_is_rejected(offline):
    nodes = offline.folder / "nodes.csv"
    nodes.write_text(NODES.replace("r1", ""), encoding="utf-8")
    trace = offline.folder / "trace.csv"
    trace.write_text("id,submit,duration,gpus,nodes,topology\n"
                     "a,0,10,16,2,required:rack\nb,0,10,24,3,required:rack\n"
                     "c,0,10,24,3,preferred:rack\n", encoding="utf-8")
    done = json.loads(offline.cli("simulate", trace, "--nodes", nodes, "--check", "-o",
                                  "json").stdout)["results"][0]
    assert (done["finished"], done["rejected"]) == (2, 1)


def test_a_topology_that_does_not_read_is_told_with_its_place(offline):
    for wrong in ("rack", "required:racks", "must:rack"):
        said = played(offline, wrong, code=1).stderr
        assert "trace.csv:5:" in said and "required:rack" in said and wrong in said
