"""tools/test counts from the runners' reports and fails closed; tools/deps installs what misses."""
import importlib.machinery
import importlib.util
import os

import pytest

GOOD = '<testcase classname="a" name="{}" status="run"/>'
BAD = '<testcase classname="a" name="{}" status="fail"><failure message="no"/></testcase>'
SKIP = ('<testcase classname="a" name="{}" status="notrun">'
        '<skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/></testcase>')
NOT_BUILT = ('<testcase classname="a" name="{}" status="notrun">'
             '<skipped message="Unable to find executable"/></testcase>')


@pytest.fixture(scope="module")
def runner():
    path = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "test")
    loader = importlib.machinery.SourceFileLoader("gyre_tools_test", os.path.abspath(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def read(runner, tmp_path, cases, code):
    path = tmp_path / "junit.xml"
    path.write_text("<testsuite>" + "".join(c.format(i) for i, c in enumerate(cases)) +
                    "</testsuite>")
    stage = runner.Stage("release")
    stage.read("ctest", str(path), code)
    return runner.summary(stage.results)


def test_counts_come_from_the_report(runner, tmp_path):
    assert read(runner, tmp_path, [GOOD, GOOD, BAD, SKIP], 8) == "2 passed, 1 failed, 1 skipped"


def test_a_program_that_was_not_built_is_a_failure(runner, tmp_path):
    assert read(runner, tmp_path, [GOOD, NOT_BUILT], 8) == "1 passed, 1 failed, 0 skipped"


@pytest.mark.parametrize("cases, code", [([], 0), ([SKIP], 0), ([GOOD], 139)],
                         ids=["nothing", "only skips", "crash after a good report"])
def test_a_runner_that_ran_nothing_or_died_fails_the_stage(runner, tmp_path, cases, code):
    with pytest.raises(runner.StageFailed):
        read(runner, tmp_path, cases, code)


def test_a_missing_or_cut_report_fails_the_stage(runner, tmp_path):
    stage = runner.Stage("release")
    with pytest.raises(runner.StageFailed, match="no report"):
        stage.read("ctest", str(tmp_path / "none.xml"), 0)
    (tmp_path / "cut.xml").write_text("<testsuite><testcase")
    with pytest.raises(runner.StageFailed, match="cut short"):
        stage.read("ctest", str(tmp_path / "cut.xml"), 0)


def test_a_stage_that_passes_its_limit_is_stopped(runner, monkeypatch):
    monkeypatch.setitem(runner.LIMITS, "fuzz", 1)
    stage = runner.Stage("fuzz")
    with pytest.raises(runner.StageFailed, match="no time left"):
        stage.run("wait", ["sleep", "30"])


@pytest.mark.parametrize("ci", [True, False])
def test_fuzzers_that_cannot_be_built_in_time_are_skipped_in_ci_alone(runner, monkeypatch, ci,
                                                                     capsys):
    monkeypatch.setattr(runner, "CI", ci)
    monkeypatch.setattr(runner, "CI_BUILDS_END", 0)
    monkeypatch.setitem(runner.LIMITS, "edge", 0)
    monkeypatch.setattr(runner.Stage, "configure_and_build",
                        lambda stage, *targets: stage.run("build", ["sleep", "30"]))
    results = runner.run_stage("edge")
    assert set(results.values()) == {"skipped" if ci else "failed"}
    assert ("[edge] skipped: no time is left" in capsys.readouterr().out) == ci
    assert len(results) == (len(runner.EDGE) if ci else 1)


def test_a_test_counts_once_and_fails_if_any_stage_failed_it(runner, monkeypatch, capsys):
    test = ("ctest", "a", "t")
    monkeypatch.setitem(runner.STAGES, "release", lambda s: s.results.update({test: "passed"}))
    monkeypatch.setitem(runner.STAGES, "tsan", lambda s: s.results.update({test: "failed"}))
    monkeypatch.setattr("sys.argv", ["test", "release", "tsan"])
    assert runner.main() == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"


def fake(folder, name, script):
    (folder / name).write_text("#!/bin/sh\n" + script)
    (folder / name).chmod(0o755)


@pytest.fixture
def machine(tree):
    """A PATH whose apt-get only notes what it is asked, and whose user is root."""
    bin_folder = tree.root / "bin"
    bin_folder.mkdir()
    fake(bin_folder, "apt-get", f'echo "$@" >>"{tree.root}/asked"\n')
    fake(bin_folder, "sudo", 'case $1 in -n) exit 0;; esac\nexec "$@"\n')
    tree.environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    return tree


def test_deps_says_why_installs_only_what_misses_and_no_tests_for_a_build(machine):
    fake(machine.root / "bin", "dpkg-query", "echo 'ii cmake'\n")
    code, said = machine.run("tools/deps", "build", env=machine.environment)
    assert code == 0, said
    assert "libsqlite3-dev" in said and "the journal" in said
    asked = (machine.root / "asked").read_text().split()
    assert "libsqlite3-dev" in asked
    assert "cmake" not in asked and "libgtest-dev" not in asked


def test_deps_is_silent_when_all_is_there(machine):
    names = [line.split()[0] for line in (machine.root / "tools/packages.txt").read_text()
             .splitlines() if line and not line.startswith("#")]
    fake(machine.root / "bin", "dpkg-query", "".join(f"echo 'ii {name}'\n" for name in names))
    assert machine.run("tools/deps", env=machine.environment) == (0, "")
    assert not (machine.root / "asked").exists()
