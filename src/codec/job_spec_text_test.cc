#include "codec/job_spec_text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <csignal>

namespace gyre::codec {
namespace {

JobSpec good(std::string_view text, SpecFormat format = SpecFormat::Auto) {
  const auto spec = read_job_spec(text, format);
  EXPECT_TRUE(spec) << text << "\n" << spec.error().message;
  return spec.value_or(JobSpec{});
}

std::vector<SpecProblem> bad(std::string_view text, SpecFormat format = SpecFormat::Auto) {
  const auto spec = parse_job_spec(text, format);
  EXPECT_FALSE(spec) << text;
  return spec ? std::vector<SpecProblem>{} : spec.error();
}

TEST(JobSpecText, TheWholeExampleIsRead) {
  const JobSpec spec = good(R"(
name: finetune
image: host
command: torchrun --nnodes=$GYRE_NUM_NODES train.py
nodes: 2
resources: {gpu: "H100:80GB:8", cpu: 16, memory: 200GB, sharing: auto}
priority: 7
preemptible: true
topology: {required: rack}
placement: {max_per_node: 2, spread: zone, near: data, apart: chat, group: tuning}
checkpoint: {path: /ckpt, interval: 10m, signal: SIGUSR1, grace: 60s}
progress: {heartbeat: 10m, line: "step "}
retry: {on: [error, interruption], max: 5, backoff: 10s..5m, on_node_loss: task}
deadline: 12h
expected_duration: 1h30m
queue: research
tenant: vision
env: {EPOCHS: "3", DEBUG: true, RATE: 1.0}
working_directory: /data/run
)");
  JobSpec expected;
  expected.name = "finetune";
  expected.launch.command = {"/bin/sh", "-c", "torchrun --nnodes=$GYRE_NUM_NODES train.py"};
  expected.tasks = {
      {2, {8, kWholeGpu, MemoryMib{80 * 1024}, {"H100"}, CpuMilli{16'000}, MemoryMib{200 * 1024}}}};
  expected.priority = 7;
  expected.preemptible = true;
  expected.topology = Topology{TopologyLevel::Rack, true};
  expected.placement =
      PlacementRules{"tuning", 2, Balance::Spread, TopologyLevel::Zone, "data", "chat"};
  expected.checkpoint = {"/ckpt", seconds(600), SIGUSR1, seconds(60)};
  expected.progress = Progress{seconds(600), "step "};
  expected.retry = {true, true, false, 5, seconds(10), seconds(300), NodeLossAnswer::Task};
  expected.deadline = seconds(12 * 3600);
  expected.expected_duration = seconds(5400);
  expected.queue = "research";
  expected.tenant = "vision";
  expected.launch.env = {{"EPOCHS", "3"}, {"DEBUG", "true"}, {"RATE", "1.0"}};
  expected.launch.working_directory = "/data/run";
  EXPECT_EQ(spec, expected);
}

TEST(JobSpecText, DefaultsAreThoseOfTheDomain) {
  JobSpec expected;
  expected.tasks.resize(1);
  expected.launch.command = {"/bin/sh", "-c", "true"};
  EXPECT_EQ(good("command: 'true'"), expected);
  EXPECT_EQ(good(R"({"command":"true"})", SpecFormat::Json), expected);
}

TEST(JobSpecText, AListIsTheArgumentsAsTheyStand) {
  EXPECT_EQ(good("command: [sleep, 5, 1.50, true, '']").launch.command,
            (std::vector<std::string>{"sleep", "5", "1.50", "true", ""}));
}

TEST(JobSpecText, JsonFromAnyLibraryIsRead) {
  const JobSpec spec = good(
      "\t{\"command\":[\"echo\",\"\\ud83d\\ude00\",\"a\\/"
      "b\"],\r\n\t\"env\":{\"A\":1.50},\"nodes\":3}",
      SpecFormat::Json);
  EXPECT_EQ(spec.launch.command, (std::vector<std::string>{"echo", "\U0001f600", "a/b"}));
  EXPECT_EQ(spec.launch.env[0].second, "1.50");
  EXPECT_EQ(spec.tasks[0].count, 3);
}

TEST(JobSpecText, AutoReadsYamlThatBeginsLikeJson) {
  EXPECT_EQ(good("{name: x, command: [ls]}").name, "x");
  EXPECT_EQ(good(" {\"name\":\"x\",\"command\":[\"ls\"]}").name, "x");
}

struct GpuCase {
  const char* text;
  int gpus;
  int milli;
  std::int64_t memory_gib;
  std::vector<std::string> models;
};

TEST(JobSpecText, GpuGrammar) {
  const GpuCase cases[] = {
      {"0", 0, 1000, 0, {}},
      {"1", 1, 1000, 0, {}},
      {"8", 8, 1000, 0, {}},
      {"0.5", 1, 500, 0, {}},
      {"0.001", 1, 1, 0, {}},
      {"2.0", 2, 1000, 0, {}},
      {"H100", 1, 1000, 0, {"H100"}},
      {"H100:8", 8, 1000, 0, {"H100"}},
      {"H100:80GB", 1, 1000, 80, {"H100"}},
      {"H100:80GB:8", 8, 1000, 80, {"H100"}},
      {"H100:80GB..:8", 8, 1000, 80, {"H100"}},
      {"A100,H100:2", 2, 1000, 0, {"A100", "H100"}},
      {"V100-SXM2-32GB:0.25", 1, 250, 0, {"V100-SXM2-32GB"}},
      {"nvidia:T4", 1, 1000, 0, {"T4"}},
      {"nvidia:T4:16GB:2", 2, 1000, 16, {"T4"}},
      {"24GB..", 1, 1000, 24, {}},
      {"24GB:2", 2, 1000, 24, {}},
  };
  for (const GpuCase& it : cases) {
    Request request;
    const auto done = parse_gpu(it.text, request);
    ASSERT_TRUE(done) << it.text << ": " << done.error().message;
    EXPECT_EQ(request.gpus, it.gpus) << it.text;
    EXPECT_EQ(request.gpu_milli.value, it.milli) << it.text;
    EXPECT_EQ(request.gpu_memory.value, it.memory_gib * 1024) << it.text;
    EXPECT_EQ(request.gpu_models, it.models) << it.text;
    Request again;
    ASSERT_TRUE(parse_gpu(request.gpus == 0 ? "0" : format_gpu(request), again)) << it.text;
    EXPECT_EQ(again, request) << it.text;
  }
}

struct BadGpu {
  const char* text;
  ErrorKind kind;
  const char* message;
};

TEST(JobSpecText, BadGpuRequests) {
  constexpr auto kInvalid = ErrorKind::Invalid;
  constexpr auto kUnsupported = ErrorKind::Unsupported;
  const BadGpu cases[] = {
      {"", kInvalid, "'' is no model"},
      {":", kInvalid, "'' is no model"},
      {"H100:", kInvalid, "'' is no count"},
      {"H100,:2", kInvalid, "'' is no model"},
      {"H100:2:80GB", kInvalid, "'80GB' stands behind the count"},
      {"H100:80XB:8", kInvalid, "'8' stands behind the count"},
      {"H100:80GB:8:1", kInvalid, "'1' stands behind the count"},
      {"H100:80XB", kInvalid, "'80XB' is no count"},
      {"H100:1025", kInvalid, "a task asks for at most 1024 GPUs"},
      {"H100:80GB:0", kInvalid, "a model or memory, and none of them"},
      {"nvidia:T4:0", kInvalid, "a model or memory, and none of them"},
      {"1.5", kInvalid, "whole ones"},
      {"0.0001", kInvalid, "least share"},
      {"-1", kInvalid, "'-1' is no model"},
      {"1.2.3", kInvalid, "'1.2.3' is no count"},
      {"4090:2", kInvalid, "'2' stands behind the count"},
      {"H 100", kInvalid, "'H 100' is no model"},
      {"a\x1b[31m", kInvalid, "'a\\x1b[31m' is no model"},
      {"nvidia", kInvalid, "a vendor without a model"},
      {"amd:MI300X", kUnsupported, "GPUs of 'amd' are not supported yet"},
      {"H100:1..4", kUnsupported, "a range of counts is not supported yet"},
      {"H100:40GB..80GB:2", kUnsupported, "a greatest memory is not supported yet"},
  };
  for (const auto& [text, kind, message] : cases) {
    Request request;
    const auto done = parse_gpu(text, request);
    ASSERT_FALSE(done) << text;
    EXPECT_EQ(done.error().kind, kind) << text;
    EXPECT_NE(done.error().message.find(message), std::string::npos) << done.error().message;
    EXPECT_EQ(request, Request{}) << text;
  }
}

struct BadSpec {
  std::string_view text;
  const char* shown;  // a part of what describe() prints of the first problem
};

const BadSpec kMistakes[] = {
    {"", "the job spec is empty"},
    {"# nothing\n", "the job spec is empty"},
    {"[]", "line 1, column 1: expected fields, as in `name: value`, found a list"},
    {"true", "line 1, column 1: expected fields, as in `name: value`, found true"},
    {"name: x", "line 1, column 1: 'command' is missing"},
    {"command: ls\nprority: 3",
     "line 2, column 1: prority: there is no such field; there are name, image, "},
    {"command: ls\nprority: 3", "(did you mean 'priority'?)"},
    {"command: ls\nresources:\n  gpus: 8\n",
     "line 3, column 3: resources.gpus: there is no such field; there are gpu, cpu, memory, "
     "sharing (did you mean 'gpu'?)"},
    {"command: ls\nqueue:\n", "queue: has no value"},
    {"command: ls\nname: x\nname: y", "line 3, column 1: 'name' is given twice"},
    {"command: ls\nname: a b", "line 2, column 7: name: expected a name of letters"},
    {"command: ls\nname: \"a\\u0007b\"", "found the text 'a\\x07b'"},
    {"command: ls\nname: 5",
     "name: expected a name (in quotes if it is a number), found the "
     "number 5"},
    {"command: ls\nimage: pytorch.tar",
     "line 2, column 8: image: 'pytorch.tar' names no image (the path is relative)"},
    {"command: ls\nimage: busybox", "image: 'busybox' names no image (no registry is named)"},
    {"command: ls\nimage: r.example/x@sha256:12", "what follows @ is no sha256 digest"},
    {"command: ls\nimage: 5", "image: expected an image, or the text 'host' for none"},
    {"name: x\nimage: host", "'command' is missing"},
    {"command: ls\nuser: root", "line 2, column 7: user: only a container has it: name an image"},
    {"command: ls\nimage: /i\nuser: -x", "line 3, column 7: user: '-x' is no user"},
    {"command: ls\nimage: /i\nread_only: 1", "read_only: expected true or false"},
    {"command: ls\nimage: /i\nnetwork: bridge", "network: expected one of host, none"},
    {"command: ls\nimage: /i\nvolumes: /a:/b", "volumes: expected a list of texts"},
    {"command: ls\nimage: /i\nvolumes: [/a]", "volumes[0]: '/a' is no volume"},
    {"command: ls\nimage: /i\nvolumes: ['a:/b']",
     "line 3, column 11: volumes[0]: the volume's source 'a' is no absolute path"},
    {"command: ls\nimage: /i\nvolumes: ['/a/../..:/b']", "is no absolute path without '..'"},
    {"command: ls\nimage: /i\nvolumes: ['/a:/proc/x']", "'/proc/x' is where the container has"},
    {"command: ls\nimage: /i\nvolumes: ['/a:/']", "'/' would hide the whole image"},
    {"command: ls\nimage: /i\ntmpfs: [/a, /a]",
     "line 3, column 13: tmpfs[1]: '/a' is mounted twice"},
    {"command: ls\nimage: /i\ntmpfs: ['/a:5x']", "tmpfs[0]: '5x' is not a memory size"},
    {"command: ls\nimage: /i\ntmpfs: ['/a:0MB']", "tmpfs[0]: a tmpfs has at least 1 MiB"},
    {"command: ls\nimage: /i\nsecrets: [../x]",
     "line 3, column 11: secrets[0]: '../x' is no secret's name"},
    {"command: ls\nimage: /i\ndevices: [/dev/sda]", "devices[0]: '/dev/sda' is no device"},
    {"command: ls\nimage: /i\nregistry_login: a",
     "line 3, column 17: registry_login: a login opens a registry"},
    {"command: ls\nimage: r.example/i\nregistry_login: ../x", "'../x' is no secret's name"},
    {"command: ls\nnetwork: none", "line 2, column 10: network: only a container has it"},
    {"command: ls\nports: [a, b, a]", "line 2, column 15: ports[2]: two ports are called 'a'"},
    {"command: ls\nimage: /i\nnetwork: none\nports: [a]",
     "line 4, column 8: ports: nobody reaches a port of a task without a network"},
    {"command: ls\nports: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]",
     "line 2, column 8: ports: 17 of them; at most 16"},
    {"command: ls\nartifacts: [out, /out]",
     "line 2, column 18: artifacts[1]: the artifact '/out' is outside"},
    {"command: ls\nprogress: {heartbeat: 1ms}", "line 2, column 11: progress: a heartbeat is 1s"},
    {"command: ls\nplacement: {max_per_node: 1}",
     "line 2, column 12: placement: max_per_node counts the tasks of a group"},
    {"command: ''", "command: the command is empty"},
    {"command: []", "command: the command is empty"},
    {"command: [ls, {a: b}]", "command[1]: expected a text, found a map"},
    {"command: [ls, null]", "command[1]: expected a text, found nothing"},
    {"command: ['', x]", "command[0]: the program's name is empty"},
    {"command: 5", "command: expected a text, which /bin/sh runs, or a list"},
    {"command: \"a\\0b\"", "command: contains a NUL character"},
    {"command: ls\nnodes: 0", "nodes: expected a whole number from 1 to 10000, found the number 0"},
    {"command: ls\nnodes: 10001", "nodes: expected a whole number from 1 to 10000"},
    {"command: ls\nnodes: two",
     "nodes: expected a whole number from 1 to 10000, found the text "
     "'two'"},
    {"command: ls\nnodes: 1.5", "nodes: expected a whole number"},
    {"command: ls\nnodes: 99999999999999999999", "nodes: expected a whole number"},
    {"command: ls\nnodes: \"2\"",
     "nodes: expected a whole number from 1 to 10000, found the "
     "text '2'"},
    {"command: ls\npriority: 11",
     "priority: expected a whole number from 0 to 10, found the "
     "number 11"},
    {"command: ls\npriority: -1", "priority: expected a whole number from 0 to 10"},
    {"command: ls\npreemptible: yes", "preemptible: expected true or false, found the text 'yes'"},
    {"command: ls\nresources: 8", "resources: expected fields"},
    {"command: ls\nresources: {gpu: H100:80XB}", "resources.gpu: 'H100:80XB' is no GPU request"},
    {"command: ls\nresources: {gpu: [1]}", "resources.gpu: expected a GPU request"},
    {"command: ls\nresources: {gpu: 0.5, sharing: exclusive}",
     "resources: sharing: exclusive means whole GPUs"},
    {"command: ls\nresources: {sharing: mps}", "resources: sharing: mps is for a fraction"},
    {"command: ls\nresources: {gpu: 2, sharing: mig}", "resources: sharing: mig is for a fraction"},
    {"command: ls\nresources: {sharing: exlusive}", "(did you mean 'exclusive'?)"},
    {"command: ls\nresources: {cpu: 2GB}", "resources.cpu: '2GB' is not a number of CPU cores"},
    {"command: ls\nresources: {cpu: -1}", "resources.cpu: '-1' is not a number of CPU cores"},
    {"command: ls\nresources: {memory: 200}",
     "resources.memory: expected a memory size with a unit, as in 16GB, found the number 200"},
    {"command: ls\nresources: {memory: \"200\"}", "resources.memory: expected a memory size with"},
    {"command: ls\nresources: {memory: 16GHz}", "resources.memory: '16GHz' is not a memory size"},
    {"command: ls\ndeadline: 3600", "deadline: expected a time with a unit"},
    {"command: ls\ndeadline: 12x", "deadline: '12x' is not a duration"},
    {"command: ls\ndeadline: -5m", "deadline: '-5m' is not a duration"},
    {"command: ls\ndeadline: 0s", "deadline: must be longer than nothing"},
    {"command: ls\ndeadline: 1000w", "deadline: longer than ten years"},
    {"command: ls\ntopology: rack", "topology: expected fields"},
    {"command: ls\ntopology: {}", "topology: say one of required and preferred"},
    {"command: ls\ntopology: {required: rack, preferred: zone}",
     "topology: say one of required and preferred"},
    {"command: ls\ntopology: {required: racks}", "(did you mean 'rack'?)"},
    {"command: ls\nplacement: spread", "placement: expected fields"},
    {"command: ls\nname: a\nplacement: {max_per_node: 0}",
     "placement.max_per_node: expected a whole number from 1 to 10000, found the number 0"},
    {"command: ls\nplacement: {max_per_node: 1}", "give the job a name, or a 'group'"},
    {"command: ls\nplacement: {spread: rak}", "(did you mean 'rack'?)"},
    {"command: ls\nplacement: {spread: rack, pack: node}",
     "placement: say one of spread and pack: tasks cannot be both"},
    {"command: ls\nname: a\nplacement: {apart: a}",
     "it cannot be apart from its own group 'a': write max_per_node: 1"},
    {"command: ls\nname: a\nplacement: {near: a}", "write pack: node"},
    {"command: ls\nname: a\nplacement: {near: b, apart: b}",
     "it cannot be both near to and apart from 'b'"},
    {"command: ls\nplacement: {apart: [a]}", "placement.apart: expected a name"},
    {"command: ls\nplacement: {away: a}", "placement.away: there is no such field"},
    {"command: ls\nprogress: 10m", "progress: expected fields"},
    {"command: ls\nprogress: {line: step}", "progress: 'heartbeat' is missing"},
    {"command: ls\nprogress: {heartbeat: 10}", "progress.heartbeat: expected a time with a unit"},
    {"command: ls\nprogress: {heartbeat: 500ms}", "a heartbeat is 1s to 7d, not 500ms"},
    {"command: ls\nprogress: {heartbeat: 8d}", "a heartbeat is 1s to 7d, not 8d"},
    {"command: ls\nprogress: {heartbeat: 1m, line: ''}",
     "progress.line: expected a text of one line, 128 bytes at most"},
    {"command: ls\ncheckpoint: {path: ckpt}", "checkpoint.path: expected an absolute path"},
    {"command: ls\ncheckpoint: {signal: SIGUSR}", "(did you mean 'SIGUSR1'?)"},
    {"command: ls\ncheckpoint: {signal: SIGKILL}",
     "checkpoint.signal: expected a signal that a "
     "process can catch"},
    {"command: ls\ncheckpoint: {signal: 9}", "checkpoint.signal: expected a signal"},
    {"command: ls\ncheckpoint: {signal: USR1}", "(did you mean 'SIGUSR1'?)"},
    {"command: ls\nretry: {on: error}", "retry.on: expected a list of error"},
    {"command: ls\nretry: {on: [eror]}",
     "retry.on[0]: expected one of error, interruption, "
     "no-capacity, found the text 'eror' (did you mean "
     "'error'?)"},
    {"command: ls\nretry: {on: [error, error]}", "retry.on[1]: 'error' is given twice"},
    {"command: ls\nretry: {max: 1001}", "retry.max: expected a whole number from 0 to 1000"},
    {"command: ls\nretry: {backoff: 5m..10s}", "retry.backoff: the range ends before it begins"},
    {"command: ls\nretry: {backoff: 10s..}", "retry.backoff: '' is not a duration"},
    {"command: ls\nretry: {backoff: 10}", "retry.backoff: expected a time or a range of times"},
    {"command: ls\nretry: {on_node_loss: nodes}", "retry.on_node_loss: expected one of gang, task"},
    {"command: ls\nretry: {on_node_loss: task, on: [error]}", "retry.on lacks 'interruption'"},
    {"command: ls\nretry: {on_node_loss: task, max: 0}", "with max: 0 nothing is tried again"},
    {"command: ls\nenv: [A]", "env: expected a map of names and values, found a list"},
    {"command: ls\nenv: {1A: x}", "line 2, column 7: env.1A: '1A' is no name of a variable"},
    {"command: ls\nenv: {A: }", "env.A: expected a text (\"\" for an empty one), found nothing"},
    {"command: ls\nenv: {A: [1]}", "env.A: expected a text"},
    {"command: ls\nworking_directory: run", "working_directory: expected an absolute path"},
    {"command: ls\nbudget: {usd: 50}", "budget: is not supported yet by this version"},
    {"command: ls\nmax_price: 2.5", "max_price: is not supported yet by this version"},
    {"command: &a ls\nname: *a",
     "line 1, column 10: anchors and aliases (&name, *name) are not "
     "supported"},
    {"command: !!str ls", "the tag 'tag:yaml.org,2002:str' is not supported"},
    {"command: ls\n---\ncommand: rm", "more than one document"},
    {"command: [ls", "not YAML: end of sequence flow not found"},
    {"command: ls\n\tname: x", "not YAML: "},
    {"? [a]\n: b", "a key must be a name"},
    {"command: ls\n\xff\xfe", "not UTF-8 text"},
    {"name: a\ncommand: \"b\\_\"", "line 2, column 10: \\N and \\_ are not supported"},
    {"\"\\N\": b", "\\N and \\_ are not supported"},
    {std::string_view("name: a\ncommand: b\0Nc", 21), "line 2, column 11: a NUL character"},
};

TEST(JobSpecText, EveryMistakeIsToldWithItsPlace) {
  for (const auto& [text, shown] : kMistakes) {
    const auto problems = bad(text, SpecFormat::Yaml);
    ASSERT_FALSE(problems.empty()) << text;
    EXPECT_NE(describe(problems[0]).find(shown), std::string::npos)
        << text << "\n  gives: " << describe(problems[0]) << "\n  wanted: " << shown;
  }
}

TEST(JobSpecText, JsonProblemsHaveTheirPlacesToo) {
  const BadSpec cases[] = {
      {"", "not JSON: "},
      {"{\"command\":\"ls\",\n  \"prority\" : 3}", "line 2, column 3: prority: "},
      {"{\"command\":\"ls\",\n\"nodes\":  0 }", "line 2, column 11: nodes: "},
      {"{\"nodes\":1,\"priority\":99,\"command\":\"ls\"}", "line 1, column 23: priority: "},
      {"{\"command\":[\"ls\",\n[]]}",
       "line 2, column 1: command[1]: expected a text, found a list"},
      {"{\"command\":\"ls\",\"env\":{\"A\":{}}}", "line 1, column 28: env.A: "},
      {"{\"command\":\"ls\",\"command\":\"rm\"}", "line 1, column 17: 'command' is given twice"},
      {"{\"command\":\"ls\",}", "line 1, column 17: not JSON: "},
      {"{\"command\":\"ls\"} x", "line 1, column 18: not JSON: "},
      {"{\"command\":\"l\ns\"}", "not JSON: "},
      {"{\"nodes\":1e999}", "not JSON: "},
      {"{\"command\":null}", "command: has no value"},
      {"{\"command\":\"\\u0000\"}", "command: contains a NUL character"},
      {"{\"command\":\"\\ud83d\"}", "not JSON: "},
  };
  for (const auto& [text, shown] : cases) {
    const auto problems = bad(text, SpecFormat::Json);
    ASSERT_FALSE(problems.empty()) << text;
    EXPECT_NE(describe(problems[0]).find(shown), std::string::npos)
        << text << "\n  gives: " << describe(problems[0]) << "\n  wanted: " << shown;
  }
}

TEST(JobSpecText, AllProblemsAreFoundAtOnce) {
  const auto problems = bad("nodes: 0\npriority: 12\ncolour: red\nresources: {cpu: x, gpu: y:z}\n");
  std::vector<std::string> paths;
  for (const SpecProblem& problem : problems) paths.push_back(problem.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"nodes", "priority", "colour", "resources.cpu",
                                             "resources.gpu", ""}));
  const Error error = read_job_spec("nodes: 0\ncolour: red\ncommand: ls", SpecFormat::Yaml).error();
  EXPECT_EQ(error.kind, ErrorKind::Invalid);
  EXPECT_NE(error.message.find("; line 2, column 1: colour"), std::string::npos) << error.message;
  EXPECT_EQ(error.message.find('\n'), std::string::npos);
}

TEST(JobSpecText, MistakesOfAContainerAreAllFoundWithTheirPlaces) {
  const auto problems =
      bad("{command: ls, image: /i, user: '-1', volumes: ['/a/../b:/v', '/c:/t'], tmpfs: [/t, "
          "'/proc:1GB'], secrets: [ok, ../x], ports: [a, a], network: none}");
  std::vector<std::string> paths;
  for (const SpecProblem& problem : problems) paths.push_back(problem.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"user", "volumes[0]", "tmpfs[0]", "tmpfs[1]",
                                             "secrets[1]", "ports[1]", "ports"}));
  paths.clear();
  for (const SpecProblem& problem : bad("{command: ls, user: root, secrets: [a], devices: [x]}")) {
    paths.push_back(problem.path);
  }
  EXPECT_EQ(paths, (std::vector<std::string>{"devices[0]", "user", "secrets"}));
}

TEST(JobSpecText, ARelativeImageIsCompletedAndNamedInOneWay) {
  const auto image = [](const std::string& text) {
    const auto spec = parse_job_spec("command: ls\nimage: " + text, SpecFormat::Yaml, "/x");
    return spec ? spec->launch.container.image : describe(spec.error().at(0));
  };
  EXPECT_EQ(image("./img/bb"), "/x/img/bb");
  EXPECT_EQ(image("././img//bb/"), "/x/img/bb");
  EXPECT_EQ(image("../bb.tar"), "/bb.tar");
  EXPECT_EQ(image("bb.tar"), "/x/bb.tar");
  EXPECT_EQ(image("/y/./bb"), "/y/./bb");
  const std::string digest = "@sha256:" + std::string(64, '0');
  EXPECT_EQ(image("./bb" + digest), "/x/bb" + digest);
  EXPECT_NE(image("img/bb").find("image: 'img/bb' names no image"), std::string::npos);
  EXPECT_NE(image("img/bb").find("a relative path begins with ./"), std::string::npos);
}

TEST(JobSpecText, OnlyWhatIsUnsupportedMakesTheWholeUnsupported) {
  EXPECT_EQ(read_job_spec("command: ls\nmax_price: 1", SpecFormat::Yaml).error().kind,
            ErrorKind::Unsupported);
  EXPECT_EQ(read_job_spec("max_price: 1", SpecFormat::Yaml).error().kind, ErrorKind::Invalid);
}

TEST(JobSpecText, LimitsHold) {
  const auto first = [](const std::string& text, SpecFormat format = SpecFormat::Yaml) {
    return describe(bad(text, format).at(0));
  };
  EXPECT_NE(first(std::string(kSpecBytesMax + 1, ' ')).find("at most 1048576"), std::string::npos);
  for (const auto format : {SpecFormat::Yaml, SpecFormat::Json}) {
    EXPECT_NE(first("{\"env\": " + std::string(40, '[') + std::string(40, ']') + "}", format)
                  .find("nested more than 32 deep"),
              std::string::npos);
    EXPECT_FALSE(first(std::string(500'000, '['), format).empty());
  }
  std::string many = "command: [ls";
  for (int i = 0; i < 60'000; ++i) many += ",x";
  EXPECT_NE(first(many + "]").find("more than 50000 values"), std::string::npos);
  std::string some = "command: [ls";
  for (int i = 0; i < 5000; ++i) some += ",x";
  EXPECT_NE(first(some + "]").find("at most 4096"), std::string::npos);
  EXPECT_NE(first("command: " + std::string(200'000, 'x')).find("at most 131071"),
            std::string::npos);
  EXPECT_NE(first("command: ls\nqueue: " + std::string(129, 'x')).find("at most 128"),
            std::string::npos);
  std::string env = "command: ls\nenv:\n";
  for (int i = 0; i < 1025; ++i) env += "  V" + std::to_string(i) + ": x\n";
  EXPECT_NE(first(env).find("1025 variables; at most 1024"), std::string::npos);
  std::string unknown = "command: ls\n";
  for (int i = 0; i < 2000; ++i) unknown += "f" + std::to_string(i) + ": x\n";
  const auto problems = bad(unknown, SpecFormat::Yaml);
  EXPECT_EQ(problems.size(), kSpecProblemsMax + 1);
  EXPECT_EQ(problems.back().message, "and 1950 problems more");
}

JobSpec any_spec() {
  const auto name = rc::gen::element<std::string>("", "a", "train-1.2_x", "007", "true", "null");
  const auto text = rc::gen::element<std::string>("", "3", "true", "a b", "ü\U0001f600", "x: y # z",
                                                  "\"quoted\"\n", "'", "- a", "\t", "~", "%$&*{[");
  const auto span = [] {
    return milliseconds(
        *rc::gen::element<std::int64_t>(1, 250, 1000, 61'000, 3'600'000, 86'400'001));
  };
  JobSpec spec;
  spec.name = *name;
  spec.tenant = *name;
  spec.queue = *rc::gen::element<std::string>("default", "12", "batch");
  spec.priority = *rc::gen::inRange(0, 11);
  spec.preemptible = *rc::gen::arbitrary<bool>();
  Request request;
  request.gpus = *rc::gen::inRange(0, 17);
  if (request.gpus == 1) request.gpu_milli = GpuMilli{*rc::gen::inRange(1, 1001)};
  if (request.gpus > 0) {
    request.gpu_memory = MemoryMib{*rc::gen::element<std::int64_t>(0, 1, 1024, 81'559)};
    request.gpu_models =
        *rc::gen::elementOf(std::vector<std::vector<std::string>>{{}, {"A100"}, {"A", "b-2.c"}});
  }
  request.cpu = CpuMilli{*rc::gen::element<std::int64_t>(0, 1, 1500, 64'000)};
  request.memory = MemoryMib{*rc::gen::element<std::int64_t>(0, 1, 1024, 2047)};
  spec.tasks = {{*rc::gen::inRange(1, 10'001), request}};
  if (*rc::gen::arbitrary<bool>()) spec.expected_duration = span();
  if (*rc::gen::arbitrary<bool>()) spec.deadline = span();
  if (*rc::gen::arbitrary<bool>()) {
    spec.topology =
        Topology{static_cast<TopologyLevel>(*rc::gen::inRange(0, 4)), *rc::gen::arbitrary<bool>()};
  }
  if (*rc::gen::arbitrary<bool>()) {
    PlacementRules& rules = spec.placement.emplace();
    rules.group = *rc::gen::element<std::string>("g", "G.2");
    rules.max_per_node = *rc::gen::inRange(0, 4);
    rules.balance = *rc::gen::element(Balance::None, Balance::Spread, Balance::Pack);
    if (rules.balance != Balance::None) {
      rules.level = static_cast<TopologyLevel>(*rc::gen::inRange(0, 5));
    }
    rules.near = *rc::gen::element<std::string>("", "n");
    rules.apart = *rc::gen::element<std::string>("", "a-1");
  }
  spec.checkpoint.path = *rc::gen::element<std::string>("", "/ckpt", "/a b/ü");
  if (*rc::gen::arbitrary<bool>()) spec.checkpoint.interval = span();
  if (*rc::gen::arbitrary<bool>()) {
    spec.progress = Progress{kHeartbeatMin + *rc::gen::element(Duration{}, seconds(3600)),
                             *rc::gen::element<std::string>("", "step ", "5", "ü: 1")};
  }
  spec.checkpoint.signal = *rc::gen::element(0, SIGUSR1, SIGHUP);
  spec.checkpoint.grace = *rc::gen::element(Duration{}, seconds(30), milliseconds(1));
  spec.retry = {*rc::gen::arbitrary<bool>(),
                *rc::gen::arbitrary<bool>(),
                *rc::gen::arbitrary<bool>(),
                *rc::gen::inRange(0, 1001),
                seconds(2),
                span() + seconds(2)};
  spec.launch.command = *rc::gen::elementOf(std::vector<std::vector<std::string>>{
      {"/bin/sh", "-c", "echo $HOME | wc -l"}, {"/bin/sh", "-c"}, {"ls"}, {"sleep", "5"}});
  if (*rc::gen::arbitrary<bool>()) spec.launch.command.push_back(*text);
  spec.launch.env = {{"A", *text}, {"_B2", *text}};
  spec.launch.working_directory = *rc::gen::element<std::string>("", "/data", "/a: b");
  return spec;
}

RC_GTEST_PROP(JobSpecTextProperty, WhatIsShownReadsBack, ()) {
  const JobSpec spec = any_spec();
  const std::string json = to_json(spec).value();
  const std::string yaml = to_yaml(spec).value();
  RC_LOG() << json << "\n" << yaml;
  const auto from_json = read_job_spec(json, SpecFormat::Json);
  const auto from_yaml = read_job_spec(yaml, SpecFormat::Yaml);
  RC_LOG() << (from_json ? "" : from_json.error().message) << "\n";
  RC_LOG() << (from_yaml ? "" : from_yaml.error().message) << "\n";
  RC_ASSERT(from_json.has_value());
  RC_ASSERT(from_yaml.has_value());
  RC_ASSERT(*from_json == spec);
  RC_ASSERT(*from_yaml == spec);
}

TEST(JobSpecText, ACarriageReturnIsKept) {
  for (const char* text : {"echo a\r", "\r", "a\rb", "a\r\n", "a\r\nb\n"}) {
    JobSpec spec;
    spec.launch.command = {"/bin/sh", "-c", text};
    spec.launch.env = {{"A", text}};
    spec.tasks.resize(1);
    const auto read = read_job_spec(to_yaml(spec).value(), SpecFormat::Yaml);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->launch, spec.launch) << *to_yaml(spec);
  }
}

TEST(JobSpecText, TasksOfTwoKindsCannotBeShown) {
  JobSpec spec;
  spec.tasks.resize(2);
  EXPECT_EQ(to_yaml(spec).error().kind, ErrorKind::Unsupported);
  EXPECT_EQ(to_json(spec).error().kind, ErrorKind::Unsupported);
}

}  // namespace
}  // namespace gyre::codec
