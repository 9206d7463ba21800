#pragma once

#include <string>
#include <vector>

#include "cli/outcome.h"
#include "cli/progress_bar.h"
#include "cli/verbs.h"
#include "domain/policy.h"
#include "sim/report/comparison.h"
#include "sim/simulate.h"

namespace gyre::cli {

/// "easy,mine.yaml": policies by name, and files ("-": stdin). None: the default one. Errors:
/// usage, with the file, or the nearest name; `given_by`: how they were given.
Outcome<std::vector<PolicySpec>> read_policies(const std::string& names,
                                               std::string_view given_by = "--policy");
/// The same of one that is to decide alone.
Outcome<PolicySpec> read_policy(const std::string& name, std::string_view given_by = "--policy");

/// Lets `surroundings` measure, and show on `bar` how far a simulation is.
void watch(sim::Surroundings& surroundings, ProgressBar& bar);

/// Calls `run` while `surroundings`, which it uses, measure and show a progress bar.
template <class Report, class Run>
Result<Report> watched(sim::Surroundings& surroundings, Run&& run) {
  ProgressBar bar;
  watch(surroundings, bar);
  return run();
}

/// Writes into `folder`, which is made, and says where on stderr. A file is whole, or as it was.
/// Requires: a file.
Outcome<void> write_files(const std::string& folder, const std::vector<sim::OutputFile>& files);

/// Writes `json` to stdout, as YAML where that is asked for; else `table`.
Outcome<int> show_json_or(const Session& session, const std::string& json,
                          const std::string& table);

/// Writes the report's files into `folder`, unless that is empty, and the report to stdout.
Outcome<int> show(const Session& session, const sim::SimulationReport& report,
                  const std::string& folder);
Outcome<int> show(const Session& session, const sim::Comparison& comparison,
                  const std::string& folder);

}  // namespace gyre::cli
