#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/policy.h"
#include "sim/report/comparison.h"
#include "sim/report/report.h"
#include "sim/simulate.h"
#include "sim/tune/minimise.h"
#include "sim/tune/space.h"

namespace gyre::sim {

/// What is to be made small.
struct Objective {
  std::string_view name;  // as the command line has it
  std::string_view text;  // for a person
  double (*value)(const PolicyResult&) = nullptr;
};
const std::vector<Objective>& objectives();  // the first one is the default

/// One policy that was tried: its settings, and how its objective compares with the base's.
struct Trial {
  std::vector<std::int64_t> settings;  // by tunable
  double ratio = 1;                    // geometric mean over the windows that are searched
};

struct TuneProgress {
  std::uint64_t tried = 0;
  std::uint64_t evaluations = 0;
  double best = 1;  // the least ratio so far
};

struct TuneOptions {
  SimulateOptions simulation;  // one policy: the base; trace_path is taken from `traces`
  std::vector<std::string> traces;
  Objective objective = objectives().front();
  std::uint64_t evaluations = 100;
  std::uint32_t windows = 8;  // equal parts of each trace, by jobs
  std::uint32_t kept = 3;     // the last ones of them, which no search sees
  Minimise minimise;
  /// Calls body(0) ... body(count - 1), each once, in any order, at once where it can.
  std::function<void(std::size_t count, const std::function<void(std::size_t)>& body)> for_each;
  /// The trials of an earlier run with these inputs, a line that tells them from others; may be
  /// empty.
  std::function<Result<std::vector<Trial>>(const std::string& inputs)> resume;
  std::function<Result<void>(const Trial&)> tried;    // a new one; may be empty
  std::function<void(const TuneProgress&)> progress;  // may be empty
};

struct TuneReport {
  std::vector<std::string> traces;
  std::uint64_t jobs = 0;
  FleetSummary fleet;
  std::string objective;
  std::uint32_t windows = 0;
  std::uint32_t kept = 0;
  std::uint64_t tried = 0;  // different policies, the base included
  PolicySpec base;
  PolicySpec found;  // the best on the windows that were searched
  std::vector<Tunable> settings;
  Difference searched;  // of the objective, found against base, on the windows that were searched
  Difference held;      // on those that were kept
  std::vector<std::string> notes;

  /// Whether what was found is better on what no search has seen, beyond what chance may make.
  bool holds() const;
  /// What to use: what was found where it holds, else the base; named NAME-tuned.
  PolicySpec chosen() const;
};

/// Whether the options are such that a search can begin. Errors: Invalid.
Result<void> validate(const TuneOptions& options);

/// Searches the settings of a policy on the first windows of each trace, and tells of the last ones
/// whether what was found holds there. Each window is a run of its own on an empty fleet. Equal
/// inputs give equal reports, however often they were interrupted. Errors: as simulate(). Cost:
/// evaluations times the windows that are searched.
Result<TuneReport> tune(const TuneOptions& options);

std::string to_json(const TuneReport& report);
std::string to_table(const TuneReport& report);

}  // namespace gyre::sim
