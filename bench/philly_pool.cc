// Philly's jobs on one pooled cluster of too few nodes: average completion time and bounded
// slowdown of each queueing policy. The setting is that of docs/benchmarks.md, "Queueing".
//
//   bench_philly_pool [PHILLY_JOBS.csv [NODES[,NODES...] [FROM TO [POLICY,...]]]]
//
// Without arguments the trace is philly/philly_jobs.csv of the shared data set; where that is not
// beside the tree, it is said to be left out.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cpu_clock.h"
#include "sim/simulate.h"

namespace gyre {
namespace {

constexpr const char* kTrace = GYRE_SOURCE_DIR "/../shared/data/philly/philly_jobs.csv";

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts{""};
  for (const char c : text) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// The rows of [from, to), in a file of their own.
std::string cut(const std::string& path, const std::string& from, const std::string& to) {
  const std::string out = "/tmp/bench_philly_pool.csv";
  std::ifstream in(path);
  std::ofstream cut(out);
  std::string line;
  std::getline(in, line);
  cut << line << '\n';
  while (std::getline(in, line)) {
    if (line >= from && line < to) cut << line << '\n';
  }
  return out;
}

void print(const sim::PolicyResult& result, double seconds) {
  fmt::print("{:<12} {:>10.0f} {:>10.0f} {:>9.2f} {:>8} {:>12.0f}\n", result.policy,
             result.jct.mean_s, result.jct.p99_s, result.bounded_slowdown_mean, result.preemptions,
             static_cast<double>(result.jobs) / seconds);
}

int run(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : kTrace;
  if (!std::filesystem::exists(path)) {
    fmt::print("Philly is left out: {} is not there\n", path);
    return argc > 1 ? 2 : 0;
  }
  const std::string from = argc > 4 ? argv[3] : "2017-10-01";
  const std::string to = argc > 4 ? argv[4] : "2017-12-01";
  const std::string names = argc > 5 ? argv[5] : "fifo,easy,sjf,sjf-easy,srtf,qssf,tiresias,gyre";
  const std::string trace = cut(path, from, to);
  for (const std::string& nodes : split(argc > 2 ? argv[2] : "21,19,17")) {
    fmt::print("\n{} nodes of 8 GPUs, jobs of {} to {}\n", nodes, from, to);
    fmt::print("{:<12} {:>10} {:>10} {:>9} {:>8} {:>12}\n", "policy", "avg JCT s", "p99 JCT s",
               "slowdown", "preempt", "jobs/CPU s");
    for (const std::string& name : split(names)) {
      sim::SimulateOptions options;
      options.trace_path = trace;
      options.nodes = nodes + "x8";
      options.policies = {*policy_by_name(name)};
      options.execution.checkpoint_interval = seconds(600);
      options.execution.restart_by_size = true;
      options.execution.all_preemptible = true;
      const double began = cpu_s();
      const auto report = sim::simulate(options);
      if (!report) {
        fmt::print(stderr, "{}\n", report.error().message);
        return 1;
      }
      print(report->results.front(), cpu_s() - began);
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace
}  // namespace gyre

int main(int argc, char** argv) { return gyre::run(argc, argv); }
