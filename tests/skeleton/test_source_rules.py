"""tools/tidy.py and tools/format catch each violation, name it, and pass a clean tree."""
import concurrent.futures
import os
import subprocess

import pytest

IN_A_FUNCTION = "namespace gyre {{\nvoid f() {{ {}; }}\n}}  // namespace gyre\n"
LONG_FUNCTION = "int f(int x) {\n" + "  x += 1;\n" * 69 + "  return x;\n}\n"
LONG_CONSTRUCTOR = ("struct A {\n  A() : a_{1}, b_(2) {\n" + "    a_ += 1;\n" * 70 +
                    "  }\n  int a_, b_;\n};\n")
UNORDERED_LOOP = """\
#include <unordered_map>

int f(const std::unordered_map<int, std::pair<int, int>>& hosts) {
  int sum = 0;
  for (const auto& [key, value] : hosts) sum += key;
  return sum;
}
"""

# rule, file, text, a part of the message
PLANTS = [
    ("layer", "src/base/up.cc", '#include "domain/job.h"\n', "base may not include domain/job.h"),
    ("layer", "src/act/side.cc", '#include "reason/own.h"\n', "the row of 'act'"),
    ("layer", "src/adapter/a/a.cc", '#include "adapter/b/b.h"\n', "adapter/a may not include"),
    ("layer", "src/mystery/a.cc", "int a();\n", "'mystery' has no row"),
    ("own-header", "src/reason/own.cc", '#include "base/number.h"\n#include "reason/own.h"\n',
     "is its own reason/own.h"),
    ("own-header", "src/reason/own.cc", "int a();\n", "is its own reason/own.h"),
    ("include-path", "src/domain/near.cc", '#include "job.h"\n', "no src/job.h"),
    ("third-party", "src/domain/j.cc", "#include <nlohmann/json.hpp>\n", "only in codec.cc"),
    ("third-party", "src/codec/j.h", "#pragma once\n#include <yaml-cpp/yaml.h>\n", "codec.cc"),
    ("third-party", "src/server/s.cc", "#include <sqlite3.h>\n", "only in adapter/sqlite.cc"),
    ("third-party", "src/sim/z.cc", "#include <zlib.h>\n", "sim/traces.cc"),
    ("third-party", "src/reason/b.cc", "#include <boost/asio.hpp>\n", "only in server"),
    ("third-party", "src/live/g.cc", "#include <gtest/gtest.h>\n", "only in test"),
    ("third-party", "src/live/w.cc", "#include <wonder/thing.hpp>\n", "in no row"),
    ("third-party", "src/control/u.cc", "#include <unistd.h>\n", "only in live"),
    ("clock", "src/domain/c.cc", IN_A_FUNCTION.format("std::chrono::steady_clock::now()"),
     "gyre::Time"),
    ("clock", "src/sim/c_test.cc", IN_A_FUNCTION.format("clock_gettime(0, nullptr)"), "gyre::Time"),
    ("sleep", "src/act/s.cc", IN_A_FUNCTION.format("std::this_thread::sleep_for(x)"), "Tick"),
    ("thread", "src/control/t.cc", IN_A_FUNCTION.format("std::mutex m"), "live/"),
    ("thread", "src/control/t.h", "#pragma once\n#include <atomic>\n", "live/"),
    ("clock", "src/sim/t.cc", IN_A_FUNCTION.format("time(nullptr)"), "gyre::Time"),
    ("clock", "src/sim/t2.cc", IN_A_FUNCTION.format("::time(&at)"), "gyre::Time"),
    ("clock", "src/sim/g.cc", IN_A_FUNCTION.format("gmtime(&at)"), "gyre::Time"),
    ("random", "src/reason/d.cc", IN_A_FUNCTION.format("drand48()"), "gyre::Rng"),
    ("random", "src/reason/r.cc", IN_A_FUNCTION.format("random()"), "gyre::Rng"),
    ("file", "src/reason/p.cc", IN_A_FUNCTION.format('popen("ls", "r")'), "adapter"),
    ("file", "src/reason/s.cc", IN_A_FUNCTION.format('std::system("ls")'), "adapter"),
    ("environment", "src/base/v.cc", IN_A_FUNCTION.format("environ[0]"), "Config"),
    ("environment", "src/base/e.cc", IN_A_FUNCTION.format('std::getenv("X")'), "Config"),
    ("file", "src/observe/f.cc", IN_A_FUNCTION.format('std::ifstream in("x")'), "adapter"),
    ("file", "src/sim/f.cc", IN_A_FUNCTION.format('fopen("x", "r")'), "adapter"),
    ("random", "src/reason/r.cc", IN_A_FUNCTION.format("std::mt19937 g"), "gyre::Rng"),
    ("random", "src/reason/r2.cc", IN_A_FUNCTION.format("std::shuffle(a, b, c)"), "gyre::Rng"),
    ("iostream", "src/evaluate/i.cc", IN_A_FUNCTION.format("std::cout << 1"), "fmt"),
    ("pointer-order", "src/reason/p.cc", IN_A_FUNCTION.format("std::map<const Job*, int> m"),
     "key by id"),
    ("unordered-iteration", "src/reason/u.cc", UNORDERED_LOOP, "iterates over 'hosts'"),
    ("function-length", "src/live/f.cc", LONG_FUNCTION, "f has 72 lines"),
    ("function-length", "src/live/g.cc", LONG_CONSTRUCTOR, "A has 72 lines"),
    ("function-length", "tools/long.py", "def f():\n" + "    f()\n" * 71, "f has 72 lines"),
    ("file-length", "src/live/long.cc", "int a();\n" * 601, "601 lines"),
    ("columns", "src/live/w.cc", "// " + "x" * 98 + "\n", "101 columns"),
    ("tab", "src/live/t.cc", "int a();\n\tint b();\n", "spaces"),
    ("trailing-blank", "src/live/t.cc", "int a(); \n", "cut it"),
    ("pragma-once", "src/live/h.h", "int a();\n#pragma once\n", "opens with #pragma once"),
    ("using-namespace", "src/live/h.h", "#pragma once\nusing namespace std;\n", "name what"),
    ("dead-file", "src/base/dead.h", "#pragma once\n", "nothing but its own"),
    ("leftover", "src/live/t.cc", "// TO" "DO: more\n", "do it"),
    ("machine-path", "tools/p.py", 'P = "/ho' 'me/me/x"\n', "relative to the tree"),
]


def test_clean_tree_passes(tree):
    assert tree.tidy() == (0, "")


@pytest.mark.parametrize("rule, path, text, message", PLANTS,
                         ids=[f"{plant[0]}-{plant[1]}" for plant in PLANTS])
def test_planted_violation_is_caught_and_named(tree, rule, path, text, message):
    tree.write("src/reason/own.h", "#pragma once\n")
    tree.write("src/adapter/b/b.h", "#pragma once\n")
    tree.write(path, text)
    code, said = tree.tidy()
    assert code == 1
    found = [line for line in said.splitlines() if line.startswith(f"{path}:")]
    assert any(f": {rule}: " in line and message in line for line in found), said


ALLOWED = [
    ("src/sim/traces/read.cc", "#include <zlib.h>\n\n#include <fstream>\nstd::ifstream in;\n"),
    ("src/server/page.cc", "#include <boost/asio.hpp>\n#include <nlohmann/json.hpp>\n"),
    ("src/adapter/sqlite/store.cc", "#include <sqlite3.h>\n#include <unistd.h>\n"),
    ("src/base/text.cc", "#include <fmt/core.h>\n#include <tl/expected.hpp>\n"),
    ("src/base/words.cc", '// sleep(1), std::mutex\nconst char* w = "std::cout getenv(";\n'),
    ("src/base/digits.cc", "long a = 1'000'000; // std::mutex\nint b = 'x';\n"),
    ("src/live/loop.cc", "#include <mutex>\n#include <sys/epoll.h>\nstd::mutex guard;\n"),
    ("src/domain/data_test.cc", "#include <gtest/gtest.h>\n#include <fstream>\n"),
    ("src/reason/find.cc", "#include <unordered_map>\nstd::unordered_map<int, int> m;\n"
                           "int f() { return m.find(1) != m.end() ? m.at(1) : 0; }\n"),
    ("bench/speed.cc", '#include <benchmark/benchmark.h>\n\n#include "domain/job.h"\n'),
]


@pytest.mark.parametrize("path, text", ALLOWED, ids=[path for path, _ in ALLOWED])
def test_what_is_allowed_passes(tree, path, text):
    tree.write(path, text)
    assert tree.tidy() == (0, "")


def test_allow_list_row_that_nothing_needs_is_a_finding(tree):
    tree.replace("tools/tidy.py", "\nALLOW = {} and {",
                 '\nALLOW = {("src/base/number.cc", "clock"): "once"}\nUNUSED = {')
    code, said = tree.tidy()
    assert code == 1
    assert "src/base/number.cc:1: allow-list: no longer breaks 'clock'" in said


def test_bad_formatting_is_caught_and_named(tree):
    assert tree.run("tools/format", "--check")[0] == 0
    tree.write("src/base/ugly.cc", "int  ugly( ){return 1 ;}\n")
    code, said = tree.run("tools/format", "--check")
    assert code != 0
    assert "src/base/ugly.cc:1" in said
    assert tree.run("tools/format")[0] == 0
    assert tree.run("tools/format", "--check")[0] == 0


def test_this_tree_is_tidy(root, tree):
    code, said = tree.run(str(root / "tools" / "tidy.py"))
    assert (code, said) == (0, "")


def test_this_tree_is_formatted(root, tree):
    code, said = tree.run(str(root / "tools" / "format"), "--check")
    assert code == 0, said


def test_headers_of_this_tree_that_no_source_opens_with_compile_alone(root, tree):
    code, said = tree.run("cmake", "--build", str(root / "build"), "-j", "2",
                          "--target", "check_headers", timeout=1800)
    assert code == 0, said


def test_programs_under_bench_compile(root):
    """No other test builds them."""
    flags = ["-std=c++20", "-fsyntax-only", "-DFMT_SHARED", '-DGYRE_SOURCE_DIR="."',
             '-DGYRE_VERSION="0"', "-Isrc"]

    def problems(source):
        return subprocess.run(["g++", *flags, source], cwd=root, capture_output=True, text=True,
                              check=False).stderr

    sources = sorted(path.relative_to(root) for path in (root / "bench").glob("*.cc"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        assert "".join(pool.map(problems, sources)) == ""
