#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/outcome.h"
#include "cli/verbs.h"
#include "domain/policy.h"
#include "sim/simulate.h"

namespace gyre::cli {

/// "easy,mine.yaml": policies by name, and files ("-": stdin). None: the default one. Errors:
/// usage, with the file, or the nearest name.
Outcome<std::vector<PolicySpec>> read_policies(const std::string& names);

/// Calls `run` while `surroundings`, which it uses, measure and show a progress bar.
Result<sim::SimulationReport> watched(sim::Surroundings& surroundings,
                                      const std::function<Result<sim::SimulationReport>()>& run);

/// Writes the report's files into `folder`, unless that is empty, and the report to stdout.
Outcome<int> show(const Session& session, const sim::SimulationReport& report,
                  const std::string& folder);

}  // namespace gyre::cli
