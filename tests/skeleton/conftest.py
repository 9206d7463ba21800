"""A small tree with the real build files and tools, into which each test plants one violation."""
import pathlib
import shutil
import subprocess
import textwrap

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

CLEAN = {
    "src/base/number.h": """\
        #pragma once

        namespace gyre {

        /// Twice the value.
        int twice(int value);

        }  // namespace gyre
        """,
    "src/base/number.cc": """\
        #include "base/number.h"

        namespace gyre {

        int twice(int value) { return 2 * value; }

        }  // namespace gyre
        """,
    "src/domain/job.h": """\
        #pragma once

        #include "base/number.h"

        namespace gyre {

        inline int gpus_of_job() { return twice(2); }

        }  // namespace gyre
        """,
    "src/domain/job.cc": """\
        #include "domain/job.h"

        namespace gyre {

        int only_in_domain() { return gpus_of_job(); }

        }  // namespace gyre
        """,
    "src/reason/policy.cc": """\
        #include "domain/job.h"

        namespace gyre {

        int policy() { return gpus_of_job(); }

        }  // namespace gyre
        """,
}


class Tree:
    """A temporary source tree."""

    def __init__(self, root):
        self.root = root

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))

    def replace(self, path, old, new):
        text = (self.root / path).read_text()
        assert old in text, f"{path} no longer holds {old!r}"
        (self.root / path).write_text(text.replace(old, new))

    def run(self, *command, timeout=300, **options):
        done = subprocess.run(command, cwd=self.root, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=timeout,
                              check=False, **options)
        return done.returncode, done.stdout

    def tidy(self):
        return self.run("/usr/bin/env", "python3", "tools/tidy.py")

    def configure(self):
        code, said = self.run("cmake", "--preset", "release")
        return code, " ".join(said.split())  # cmake wraps its messages

    def build(self, target):
        return self.run("cmake", "--build", "build", "-j", "2", "--target", target)


@pytest.fixture
def tree(tmp_path):
    for name in ("CMakeLists.txt", "CMakePresets.json", ".clang-format"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "cmake", tmp_path / "cmake")
    shutil.copytree(ROOT / "web" / "dist", tmp_path / "web" / "dist")
    for embedded in ("api/openapi.yaml", "src/server/embed.cmake"):
        (tmp_path / embedded).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / embedded, tmp_path / embedded)
    shutil.copytree(ROOT / "tools", tmp_path / "tools",
                    ignore=shutil.ignore_patterns("__pycache__"))
    for list_file in ROOT.glob("src/*/CMakeLists.txt"):
        folder = tmp_path / "src" / list_file.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(list_file, folder)
    made = Tree(tmp_path)
    made.write("src/apps/CMakeLists.txt", "gyre_app(NAME gyre LIBS CLI11::CLI11)\n")
    made.replace("tools/tidy.py", "\nALLOW = {", "\nALLOW = {} and {")  # the real tree's, not ours
    for path, text in CLEAN.items():
        made.write(path, text)
    return made
