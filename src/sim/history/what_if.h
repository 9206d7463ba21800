#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/journal.h"
#include "domain/policy.h"
#include "sim/report/report.h"
#include "sim/simulate.h"

namespace gyre::sim {

/// The column of what really happened.
inline constexpr const char* kRecorded = "recorded";

/// The inputs of `gyre replay --policy`.
struct WhatIfOptions {
  std::string name;  // of the journal, for messages and the report
  /// Opens it from its beginning; called twice, once more where it has services.
  std::function<Result<std::unique_ptr<control::JournalReader>>()> open;
  std::vector<PolicySpec> policies;  // at least one
  /// When the policies take over, by the journal's clock, and what figures are of: jobs that had
  /// not ended by then. Before, what was live decides. None: the first submission.
  std::optional<Time> since;
  /// As if the journal ended then. None: all that it has.
  std::optional<Time> until{};
  bool check = false;      // verify every invariant after every event
  bool keep_jobs = false;  // keep what output_files() needs
  Surroundings surroundings;
};

/// What would have happened under other policies: the journal's history (history.h) played in
/// simulation under each. Two columns stand before them: what really happened, and the policy that
/// was live in simulation too, to know how far the simulation can be trusted. Errors: as of
/// read_history(), but Invalid for a journal without a job; NotFound for a window in which nothing
/// is recorded, or no job is; Invalid for policies that cannot be told apart, and where nothing
/// says how long any job runs; Internal, a broken invariant.
Result<SimulationReport> what_if(const WhatIfOptions& options);

}  // namespace gyre::sim
