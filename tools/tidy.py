#!/usr/bin/env python3
"""Reads every source of the tree and prints what breaks a rule of the house, one finding a line.

    tools/tidy.py [--root DIR]

A finding is `path:line: rule: what is wrong, and what to do instead`. The exit code is 0 for a
clean tree, 1 for findings, 2 for a tree it cannot read. Who may include whom comes from
cmake/Layers.cmake; the other tables are here. Comments and strings are blanked before a ban or a
length is looked at, so they may say anything.
"""
import argparse
import ast
import os
import re
import signal
import sys

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70
MAX_COLUMNS = 100

PURE = {"base", "domain", "observe", "reason", "act", "evaluate", "control", "sim"}

# A file that may break one rule, and why. An entry that nothing needs any more is itself a finding.
ALLOW = {
    ("src/sim/simulate_test.cc", "environment"): "GYRE_SHARED_DATA says where real traces are",
}

# Third-party headers: pattern -> the places that may include them. A place is a layer, "adapter"
# (all of them), "adapter/NAME" or "sim/traces", with ".cc" when headers may not; "any" is anywhere.
THIRD_PARTY = [
    (r"(fmt/|tl/expected\.hpp)", ["any"]),
    (r"nlohmann/json_fwd", ["codec", "server", "cli", "adapter.cc"]),
    (r"(nlohmann/|yaml-cpp/)", ["codec.cc", "server.cc", "cli.cc", "adapter.cc"]),
    (r"(simdjson\.h|zlib\.h)", ["sim/traces.cc", "codec.cc", "server.cc", "adapter.cc"]),
    (r"CLI/", ["cli", "apps.cc"]),
    (r"(boost/|openssl/)", ["server", "cli", "live", "adapter.cc"]),
    (r"sqlite3\.h", ["adapter/sqlite.cc"]),
    (r"libpq-fe\.h", ["adapter/postgres.cc"]),
    (r"archive(_entry)?\.h", ["adapter/oci.cc"]),
    (r"curl/", ["adapter/registry.cc", "adapter/otlp.cc"]),
    (r"(grpc/|grpcpp/|google/protobuf/|gyre(\.grpc)?\.pb\.h)", ["adapter/grpc.cc"]),
    (r"(gtest/|gmock/|rapidcheck)", ["test"]),
    (r"nlopt\.hpp", ["adapter/nlopt.cc"]),
    (r"benchmark/", ["bench"]),
]
# The operating system's own headers: for what touches the world.
SYSTEM_HEADER = re.compile(r"^(sys|linux|net|netinet|arpa)/|^[a-z_]+\.h$")
SYSTEM_PLACES = ["live", "server", "agent", "cli", "apps", "adapter", "test", "bench"]
STANDARD_HEADER = re.compile(r"^[a-z_]+$")

# What pure code may not do: rule, pattern over code without comments and strings, and what to do
# instead. Tests of pure code keep all of it except files (they read samples).
BANS = [
    ("clock", r"\b(?:system|steady|high_resolution|file|utc)_clock\b|\b(?:clock_gettime|"
              r"gettimeofday|clock|timespec_get|(?:local|gm)time(?:_r)?)\s*\("
              r"|(?:(?<![\w.>:])|\bstd::|(?<!\w)::)time\s*\(\s*(?:nullptr|NULL|0|&)",
     "time is data: take gyre::Time from the event"),
    ("sleep", r"\b(?:sleep_for|sleep_until|usleep|nanosleep|sleep)\s*\(",
     "ask for a Tick through next_wakeup()"),
    ("thread", r"\bstd::(?:thread|jthread|(?:\w+_)?mutex|condition_variable\w*|async|future|promise"
               r"|atomic\w*|\w+_lock|lock_guard|call_once|counting_semaphore|latch|barrier)\b"
               r"|\bthread_local\b|\bpthread_\w+|#\s*include\s*<(?:thread|mutex|atomic|future|"
               r"condition_variable|shared_mutex|semaphore|latch|barrier|stop_token)>",
     "pure code runs on one thread; concurrency lives in live/ and the adapters"),
    ("environment", r"\b(?:secure_|std::)?(?:getenv|setenv|putenv)\s*\(|\benviron\b",
     "take it from Config; cli/ reads the environment"),
    ("file", r"\bstd::(?:basic_)?[io]?f(?:stream|ilebuf|open)\b|\bstd::filesystem\b"
             r"|\b(?:fopen|freopen|popen|tmpfile|opendir|(?<![\w>])::open)\s*\("
             r"|(?<![\w.>])(?:std::|::)?system\s*\(|#\s*include\s*<(?:fstream|filesystem)>",
     "files belong to an adapter; take the content as a value"),
    ("random", r"\bstd::(?:mt19937\w*|minstd_rand\w*|random_device|default_random_engine|shuffle|"
               r"sample|\w+_distribution)\b|\b(?:std::)?s?rand\s*\("
               r"|(?<![\w.>])(?:::)?random\s*\(\s*\)|\b[dejlmn]rand48\s*\("
               r"|#\s*include\s*<random>",
     "use gyre::Rng, split by name"),
    ("iostream", r"\bstd::(?:cout|cerr|clog|cin)\b|#\s*include\s*<(?:iostream|syncstream)>",
     "return a value, or text made with fmt"),
    ("pointer-order", r"\bstd::(?:multi)?(?:map|set)<\s*(?:const\s+)?[\w:]+\s*(?:const\s*)?\*",
     "addresses differ from run to run: key by id"),
]
UNORDERED_HELP = "hash order differs between libraries: use std::map, or copy to a vector and sort"

# Rules on the raw text of every file. The patterns are split so that they do not match themselves.
TEXT_RULES = [
    ("leftover", re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"),
     "do it, or file an issue"),
    ("machine-path", re.compile(r"(?<![\w.])/(?:wo" r"rk|ro" r"ot|Us" r"ers|ho" r"me/\w+)/\w"),
     "absolute paths of one machine do not travel: use one relative to the tree"),
    ("tab", re.compile(r"\t"), "indent with spaces"),
    ("trailing-blank", re.compile(r"[ \t\r]+$"), "cut it"),
]

CODE = (".h", ".cc")
WIDTH_CHECKED = (".h", ".cc", ".py", ".sh")
TEXT = CODE + (".py", ".sh", ".cmake", ".md", ".txt", ".json", ".yaml", ".yml", ".toml", ".ts",
               ".tsx", ".css", ".proto", ".service")
SKIPPED_FOLDERS = {"node_modules", "__pycache__", "dist", "data"}

BLANKABLE = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r"|R\"(?P<d>[^\s()\\]{0,16})\(.*?\)(?P=d)\""
    r"|\"(?:\\.|[^\"\\\n])*\""
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'", re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.M)


class Source:
    """One file: its text, and for C++ its text without comments and strings."""

    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8") as handle:
            self.text = handle.read()
        self.lines = self.text.split("\n")
        self.is_code = path.endswith(CODE)
        self.is_test = (path.endswith(("_test.cc", "_fuzz.cc", "_suite.h"))
                        or path.startswith("tests/"))
        self.includes = []
        self.code = ""
        if self.is_code:
            self.includes = [(self.text.count("\n", 0, m.start()) + 1, m[1], m[2])
                             for m in INCLUDE.finditer(self.text)]
            self.code = BLANKABLE.sub(blank, self.text)
        self.place = place_of(path)

    def line_of(self, offset):
        return self.code.count("\n", 0, offset) + 1


def blank(match):
    text = match[0]
    lines = "\n" * text.count("\n")
    return '""' + lines if text[0] in "\"R'" else lines


def place_of(path):
    """The layer of a file under src/ ("adapter/NAME" for an adapter), else its top folder."""
    parts = path.split("/")
    if parts[0] != "src":
        return parts[0]
    if parts[1] == "adapter" and len(parts) > 3:
        return "adapter/" + parts[2]
    return parts[1]


def read_layers(root):
    with open(os.path.join(root, "cmake/Layers.cmake"), encoding="utf-8") as handle:
        rows = re.findall(r'^\s*"([\w/]+):([^"]*)"', handle.read(), re.M)
    return {name: set(uses.split()) for name, uses in rows}


def read_sources(root):
    found = []
    for folder, folders, files in os.walk(root):
        relative = os.path.relpath(folder, root)
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS
                            and not f.startswith(("build", ".")))
        for name in sorted(files):
            path = name if relative == "." else relative + "/" + name
            if name.endswith(TEXT) or path.startswith(("tools/", ".ci/")) or name == "Makefile":
                found.append(Source(root, path))
    return found


def check_text(source):
    """Width, length, tabs, trailing blanks, leftovers, machine paths."""
    for number, line in enumerate(source.lines, 1):
        if len(line) > MAX_COLUMNS and source.path.endswith(WIDTH_CHECKED):
            yield number, "columns", f"{len(line)} columns, {MAX_COLUMNS} at most: break the line"
    for rule, pattern, help_text in TEXT_RULES:
        if rule == "tab" and source.path.endswith("Makefile"):
            continue
        if not pattern.search(source.text) and rule != "trailing-blank":
            continue
        for number, line in enumerate(source.lines, 1):
            if pattern.search(line):
                yield number, rule, help_text
    count = len(source.lines) - 1
    if count > MAX_FILE_LINES and (source.is_code or source.path.endswith(".py")):
        yield MAX_FILE_LINES, "file-length", (f"{count} lines, {MAX_FILE_LINES} at most: "
                                              "split it by what changes together")


def check_header(source):
    if not source.path.endswith(".h"):
        return
    first = re.search(r"\S[^\n]*", source.code)
    if not first or not first[0].startswith("#pragma once"):
        yield 1, "pragma-once", "a header opens with #pragma once, before any other code"
    for match in re.finditer(r"\busing\s+namespace\b", source.code):
        yield (source.line_of(match.start()), "using-namespace",
               "a header may not open a namespace for all who include it: name what you use")


def check_own_header(source, headers):
    """That it compiles alone is proven by its .cc, which opens with it."""
    own = source.path[:-len(".cc")] + ".h"
    if not re.match(r"src/.*\.cc$", source.path) or own not in headers:
        return
    number, project, _ = source.includes[0] if source.includes else (1, None, None)
    if "src/" + (project or "") != own:
        yield number, "own-header", f"the first include of this file is its own {own[len('src/'):]}"


def check_includes(source, layers, headers):
    """Layers, third-party headers, and paths that start at src/."""
    layer = source.place.split("/")[0]
    if layer == "src" or (source.path.startswith("src/") and layer not in layers):
        yield 1, "layer", f"'{layer}' has no row in cmake/Layers.cmake"
        return
    for number, project, other in source.includes:
        if project:
            yield from check_project_include(source, layer, layers, headers, number, project)
        else:
            yield from check_outside_include(source, layer, number, other)


def check_project_include(source, layer, layers, headers, number, included):
    if "src/" + included not in headers:
        beside = os.path.join(os.path.dirname(source.path), included)
        if source.path.startswith("src/") or not (included in headers or beside in headers):
            yield (number, "include-path",
                   f"no src/{included}: write paths from src/, outside ones in <>")
        return
    if not source.path.startswith("src/"):
        return  # tests/ and bench/ may use everything
    target = place_of("src/" + included)
    target_layer = target.split("/")[0]
    if target == source.place or target_layer in layers[layer]:
        return
    row = " ".join(sorted(layers[layer])) or "nothing"
    yield (number, "layer", f"{source.place} may not include {included}: the row of '{layer}' in "
           f"cmake/Layers.cmake allows {row}. Move the code, or put a port below")


def check_outside_include(source, layer, number, included):
    for pattern, places in THIRD_PARTY:
        if re.match(pattern, included):
            break
    else:
        if STANDARD_HEADER.match(included):
            return
        if not SYSTEM_HEADER.match(included):
            yield number, "third-party", (f"<{included}> is in no row of THIRD_PARTY in "
                                          "tools/tidy.py: add the library there first")
            return
        places = SYSTEM_PLACES
    suffix = os.path.splitext(source.path)[1]
    mine = {layer, source.place, "any"}
    mine |= {"sim/traces"} if source.path.startswith("src/sim/traces/") else set()
    mine |= {"test"} if source.is_test else set()
    mine |= {"test", "bench"} if layer in ("tests", "bench") else set()
    if not mine & set(places) and not {m + suffix for m in mine} & set(places):
        yield number, "third-party", f"<{included}> may be included only in {', '.join(places)}"


def check_bans(source, by_path):
    if source.place not in PURE:
        return
    for rule, pattern, instead in BAN_PATTERNS:
        if rule == "file" and (source.is_test or source.path.startswith("src/sim/traces/")):
            continue
        for match in pattern.finditer(source.code):
            what = match[0].strip().rstrip("(")
            yield (source.line_of(match.start()), rule,
                   f"'{what}' in a pure layer: {instead}")
    yield from check_unordered(source, by_path)


BAN_PATTERNS = [(rule, re.compile(pattern), instead) for rule, pattern, instead in BANS]
UNORDERED = re.compile(r"(?:using\s+(\w+)\s*=\s*)?\bstd::unordered_(?:multi)?(?:map|set)\s*<")


def unordered_names(code):
    """Names of the variables and members that a text declares with an unordered type."""
    names, aliases = set(), set()
    for match in UNORDERED.finditer(code):
        depth, end = 1, match.end()
        while depth and end < len(code):
            depth += {"<": 1, ">": -1}.get(code[end], 0)
            end += 1
        if match[1]:
            aliases.add(match[1])
        named = re.match(r"[\s&*]*(\w+)", code[end:end + 120])
        if named:
            names.add(named[1])
    for alias in aliases:
        names |= set(re.findall(rf"\b{alias}\b[\s&*]+(\w+)", code))
    return names


def check_unordered(source, by_path):
    stem = re.sub(r"(_test|_fuzz)?\.(cc|h)$", "", source.path)
    texts = [source.code]
    if not source.path.endswith(".h") and stem + ".h" in by_path:
        texts.append(by_path[stem + ".h"].code)
    if not any("unordered_" in text for text in texts):
        return
    names = set().union(*(unordered_names(text) for text in texts)) - {"const"}
    for name in sorted(names):
        walked = (rf"\bfor\s*\([^;{{}}]*:\s*(?:\w+(?:\.|->))*{name}\s*\)"
                  rf"|\b{name}(?:\.|->)c?begin\s*\(")
        for match in re.finditer(walked, source.code):
            yield (source.line_of(match.start()), "unordered-iteration",
                   f"iterates over '{name}': {UNORDERED_HELP}")


NOT_A_FUNCTION = re.compile(r"\b(?:namespace|class|struct|union|enum|concept)\b[^()]*$|=\s*$|^\s*$"
                            r'|\bextern\s*""\s*$')
SIGNATURE = re.compile(r"\)\s*(?:const|noexcept(?:\([^()]*\))?|override|final|mutable|try|&&?|\s)*"
                       r"(?:->[^;{}]+|requires[^;{}]+)?$|\)[^;{}]*?\s:\s.*[)}]\s*$", re.S)
INITIALISER = re.compile(r"\)[^;{}]*?\s:\s.*[\w>]$", re.S)


def functions(code):
    """(first line, last line, name) of each outermost function body, found by its braces."""
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: "\n" * m[0].count("\n"), code,
                  flags=re.M)
    start, position = 0, 0
    while True:
        match = re.compile(r"[{};]").search(code, position)
        if not match:
            return
        position = match.end()
        if match[0] == "{":
            head = code[start:match.start()]
            if INITIALISER.search(head):
                position = closing(code, match.start())
                continue
            if NOT_A_FUNCTION.search(head) and not head.rstrip().endswith("="):
                start = position
                continue
            end = closing(code, match.start())
            if SIGNATURE.search(head):
                first = code.count("\n", 0, start + len(head) - len(head.lstrip())) + 1
                name = re.search(r"([\w:~]+(?:\s*[^\w\s(]+)?)\s*\(", head)
                yield first, code.count("\n", 0, end) + 1, name[1] if name else "a function"
            position = end
        start = position


def closing(code, opening):
    depth = 0
    for match in re.compile(r"[{}]").finditer(code, opening):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.end()
    return len(code)


def check_functions(source):
    if source.is_code:
        found = functions(source.code)
    elif source.path.endswith(".py"):
        nodes = ast.walk(ast.parse(source.text)) if "def " in source.text else []
        found = [(n.lineno, n.end_lineno, n.name) for n in nodes
                 if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    else:
        return
    for first, last, name in found:
        if last - first + 1 > MAX_FUNCTION_LINES:
            yield (first, "function-length", f"{name} has {last - first + 1} lines, "
                   f"{MAX_FUNCTION_LINES} at most: keep the branching, move the leaves out")


def check_dead(sources):
    """A header that nothing but its own .cc and tests include is dead."""
    used = set()
    for source in sources:
        stem = re.sub(r"(_test|_fuzz)?\.cc$", "", source.path)
        used |= {"src/" + project for _, project, _ in source.includes
                 if project and "src/" + project != stem + ".h"}
    for source in sources:
        if re.match(r"src/.*\.h$", source.path) and source.path not in used:
            yield source, (1, "dead-file", "nothing but its own .cc and test includes this header: "
                           "use it or remove it")


def findings(root):
    layers = read_layers(root)
    if not layers:
        raise ValueError("cmake/Layers.cmake has no row that reads \"layer: uses\"")
    sources = read_sources(root)
    by_path = {source.path: source for source in sources}
    headers = {path for path in by_path if path.endswith(".h")}
    for source in sources:
        for found in check_text(source):
            yield source.path, *found
        for found in check_functions(source):
            yield source.path, *found
        if not source.is_code:
            continue
        for found in check_header(source):
            yield source.path, *found
        for found in check_own_header(source, headers):
            yield source.path, *found
        for found in check_includes(source, layers, headers):
            yield source.path, *found
        for found in check_bans(source, by_path):
            yield source.path, *found
    for source, found in check_dead(sources):
        yield source.path, *found


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `tidy.py | head` ends quietly
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--root", default=os.path.dirname(here))
    root = parser.parse_args().root
    try:
        found = sorted(findings(root))
    except (OSError, ValueError, SyntaxError) as error:
        print(f"tidy: cannot check {root}: {error}", file=sys.stderr)
        return 2
    shown = [f for f in found if (f[0], f[2]) not in ALLOW]
    needed = {(f[0], f[2]) for f in found}
    shown += [(path, 1, "allow-list", f"no longer breaks '{rule}': drop its row from tools/tidy.py")
              for path, rule in ALLOW if (path, rule) not in needed]
    for path, line, rule, what in shown:
        print(f"{path}:{line}: {rule}: {what}")
    return 1 if shown else 0


if __name__ == "__main__":
    sys.exit(main())
