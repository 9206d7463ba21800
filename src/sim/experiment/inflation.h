#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/policy.h"

namespace gyre::sim {

/// How far an experiment has come; for a progress bar.
struct InflationProgress {
  std::string trace;
  std::string placement;
  std::size_t runs_done = 0;
  std::size_t runs = 0;
};

/// The inputs of `gyre simulate --experiment fgd`.
struct InflationOptions {
  std::vector<std::string> trace_paths;  // at least one
  std::string nodes;                     // as for simulate()
  std::string format = "auto";
  std::vector<PolicySpec::Placement> placements;  // at least one
  std::uint64_t first_seed = 42;
  std::uint64_t seeds = 10;
  std::function<void(const InflationProgress&)> progress;
  std::function<double()> cpu_clock_s;  // CPU time of this thread, in seconds; may be empty
};

/// The cluster while arrived load rounds to one percent: means over the tasks that arrive then.
struct LoadPoint {
  double allocation = 0;           // 0..1 of the fleet's GPUs
  double fragmentation = 0;        // amount, 0..1 of the fleet's GPUs
  double fragmentation_ratio = 0;  // 0..1 of the free GPUs
  bool measured = false;           // a task arrived at this load
};

inline constexpr int kLoadPercentMax = 130;

/// One placement on one trace; means over the seeds.
struct InflationResult {
  std::string trace;  // file name without folders
  PolicySpec::Placement placement = PolicySpec::Placement::BestFit;
  std::vector<LoadPoint> by_load;   // by percent, 0..kLoadPercentMax
  double allocation_deviation = 0;  // of the seeds, at 100 %; 0..1
  double tasks = 0;                 // that arrived
  std::optional<double> cpu_s;      // of one run
};

struct InflationReport {
  std::uint64_t nodes = 0;
  std::uint64_t gpus = 0;
  std::uint64_t first_seed = 0;
  std::uint64_t seeds = 0;
  std::vector<std::string> notes;
  std::vector<InflationResult> results;  // by trace, then by placement, in the order asked for
};

/// The experiment of "Beware of Fragmentation" (Weng et al., USENIX ATC 2023, section 6): the
/// trace's tasks in random order, then more of them drawn with replacement, until 130 % of the
/// fleet's GPUs are asked for (or as many left out, if the trace asks for more); each is tried once
/// and never ends. Nodes are ordered by name, then shuffled; ties go to the first. The mix of
/// demand that policies look at is the trace's own, as in the paper. Order, draws and shuffle
/// follow from the seed by Gyre's own generator, so means are comparable with the paper's, single
/// seeds are not. Pure. Errors: Invalid for a trace or fleet that is wrong, or has no GPU; a job of
/// several nodes.
Result<InflationReport> run_inflation(const InflationOptions& options);

/// Tables for people: a row a trace, a column a placement, published means in parentheses.
std::string to_table(const InflationReport& report);
/// One JSON document, ended by a newline; a point every 5 % of load.
std::string to_json(const InflationReport& report);

}  // namespace gyre::sim
