"""`gyre import`: what it prints is accepted, runs, and says what was lost on the way."""
import json
import pathlib
import subprocess

import pytest

SAMPLES = pathlib.Path(__file__).resolve().parent.parent / "fuzz" / "import"

SCRIPT = """#!/bin/bash
#SBATCH -J pair
#SBATCH --ntasks-per-node=2
#SBATCH --output=x.log
echo "batch $SLURM_JOB_NUM_NODES $SLURM_NTASKS"
srun --mpi=none -n 2 sh -c 'echo "proc $SLURM_PROCID local $SLURM_LOCALID"; exit $SLURM_PROCID'
echo "srun returned $?"
"""


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir()))
def test_what_it_prints_is_a_spec_that_plan_accepts(cloud, name):
    # Several jobs: the first. A fleet of H100s may never fit what asks for others (3). Those that
    # it is to run near, or apart from, are there.
    for group in ("cache", "batch"):
        status = cloud.http("POST", "/v1/jobs", {"name": group, "command": ["sleep", "1000"],
                                                 "placement": {"group": group}})[0]
        assert status == 201
    printed = cloud.cli("import", SAMPLES / name)
    first = printed.stdout.split("\n---\n")[0]
    plan = cloud.cli("plan", "-", stdin=first, code=None)
    assert plan.returncode in (0, 3), plan.stderr
    assert all(line.split(" ", 1)[0] in ("dropped", "changed", "kept")
               for line in printed.stderr.splitlines())


def test_an_sbatch_script_runs_as_it_would_under_slurm(cloud):
    spec = cloud.cli("import", "-", stdin=SCRIPT)
    assert "dropped --output=x.log: see 'gyre logs'" in spec.stderr
    job = cloud.cli("submit", "--wait", "-", stdin=spec.stdout)
    lines = cloud.cli("logs", job.stdout.strip()).stdout.splitlines()
    assert lines[0] == "batch 1 2"
    assert sorted(lines[1:3]) == ["proc 0 local 0", "proc 1 local 1"]
    assert lines[3] == "srun returned 1"


def run_imported(offline, text):
    """Runs the one command of what it becomes."""
    command = json.loads(offline.cli("import", "-o", "json", "-", stdin=text).stdout)["command"]
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else command
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("commands, code, printed", [
    (["sleep 0 &", "echo main"], 0, "main\n"),
    (["echo a\necho b\n", "echo c"], 0, "a\nb\nc\n"),
    (["echo a\nfalse\n", "echo never"], 1, "a\n"),
    (["set -e\nfalse\necho never", "echo nor this"], 1, ""),
    (["false # a comment", "echo never"], 1, ""),
    (["(exit 7) # a comment", "echo never"], 7, ""),
    (["# nothing", "echo a", "# nor here"], 0, "a\n"),
    (["cat <<END\n# not a comment\nEND", "echo b"], 0, "# not a comment\nb\n"),
    (["echo a \\", "echo b"], 0, "a\nb\n"),
    (["false", "echo never; echo nor this"], 1, ""),
    (["false", "echo never || echo nor this"], 1, ""),
    (["cd /", "  pwd"], 0, "/\n"),
])
def test_dstack_commands_run_one_by_one_while_they_go_well(offline, commands, code, printed):
    ran = run_imported(offline, json.dumps({"type": "task", "commands": commands}))
    assert (ran.returncode, ran.stdout, ran.stderr) == (code, printed, "")


@pytest.mark.parametrize("setup, code, printed", [
    ("# nothing yet\n", 0, "run\n"), ("echo set up \\", 0, "set up\nrun\n"), ("false", 1, ""),
])
def test_a_skypilot_setup_comes_first(offline, setup, code, printed):
    ran = run_imported(offline, json.dumps({"setup": setup, "run": "echo run"}))
    assert (ran.returncode, ran.stdout, ran.stderr) == (code, printed, "")


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_an_sbatch_script_keeps_its_text(offline, line_end):
    text = "#!/bin/bash\n#SBATCH -n 1\ncat <<'END'\n#SBATCH --gpus=2\nEND\necho \\\n done\n"
    ran = run_imported(offline, text.replace("\n", line_end))
    assert (ran.stdout, ran.stderr) == ("#SBATCH --gpus=2\ndone\n", "")


def test_json_is_one_document(offline):
    one = offline.cli("import", "-o", "json", SAMPLES / "train.sbatch").stdout
    assert json.loads(one)["nodes"] == 4
    several = offline.cli("import", "-o", "json", SAMPLES / "array.sbatch").stdout
    assert [job["env"]["SLURM_ARRAY_TASK_ID"] for job in json.loads(several)] == ["1", "5", "9"]


@pytest.mark.parametrize("text, code, words", [
    ("a: 1\n", 2, "none of the files that are known"),
    ("type: task\ncommands: [x]\nnodes: 0\n", 2, "line 3, column 8: nodes: "),
    ("type: service\ncommands: [x]\n", 1, "service"),
    ("#!/usr/bin/perl\nprint 1\n", 1, "perl"),
])
def test_what_cannot_be_imported_is_one_error(offline, text, code, words):
    result = offline.cli("import", "-", stdin=text, code=code)
    assert result.stdout == "" and words in result.stderr
    assert result.stderr.startswith("gyre: -: ") and len(result.stderr.splitlines()) == 1


def test_the_format_may_be_said(offline):
    result = offline.cli("import", "--format", "k8s", "-", stdin="type: task\n", code=1)
    assert "no batch/v1 Job" in result.stderr
    assert "slurm" in offline.cli("import", "--format", "slurm", "x", code=2).stderr
