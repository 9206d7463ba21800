#pragma once

#include <cstddef>

#include "base/result.h"
#include "domain/policy.h"
#include "sim/report/report.h"
#include "sim/setting.h"
#include "sim/simulate.h"

namespace gyre::sim {

/// One policy's run in a setting.
struct RunOptions {
  const Setting& setting;
  const PolicySpec& policy;
  const ExecutionOptions& execution;
  bool check = false;      // verify every invariant after every event
  bool keep_jobs = false;  // keep outcomes and series
  /// When one in so many of the jobs that wait will start is asked at its submission; 0: of none.
  std::uint64_t starts_told_one_in = 0;
  const Surroundings& surroundings;
  std::size_t index = 0;  // of how many runs this is which; for the progress
  std::size_t count = 1;
  Time measured_from{};  // what figures are of: Recorder::Inputs
};

/// Errors: Internal for a broken invariant and for a journal that fails.
Result<PolicyResult> run_policy(const RunOptions& options);

/// What a report says of the setting.
void describe(const Setting& setting, bool keep_jobs, SimulationReport& report);

}  // namespace gyre::sim
