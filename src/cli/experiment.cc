#include "cli/experiment.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "cli/progress_bar.h"
#include "cli/simulation.h"
#include "domain/policy.h"
#include "live/work_budget.h"
#include "sim/experiment/inflation.h"

namespace gyre::cli {
namespace {

Outcome<std::vector<PolicySpec::Placement>> read_placements(const std::string& names) {
  std::vector<PolicySpec::Placement> placements;
  std::vector<std::string> known;
  for (const PlacementName& placement : placement_names()) {
    known.emplace_back(placement.name);
    if (names.empty()) placements.push_back(placement.placement);
  }
  for (std::size_t begin = 0; !names.empty() && begin <= names.size();) {
    const std::size_t end = std::min(names.find(',', begin), names.size());
    const std::string name = names.substr(begin, end - begin);
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) {
      return give_up(kUsage, "--policy: no placement is named '{}'; there are {}", name,
                     fmt::join(known, ", "));
    }
    const auto placement = static_cast<PolicySpec::Placement>(found - known.begin());
    if (std::find(placements.begin(), placements.end(), placement) != placements.end()) {
      return give_up(kUsage, "--policy: '{}' is given twice", name);
    }
    placements.push_back(placement);
    begin = end + 1;
  }
  return placements;
}

}  // namespace

Outcome<int> run_experiment(const Session& session, const ExperimentFlags& flags) {
  auto placements = read_placements(flags.placements);
  if (!placements) return tl::unexpected(placements.error());
  sim::InflationOptions options;
  options.trace_paths = flags.traces;
  options.nodes = flags.nodes;
  options.format = flags.format;
  options.placements = std::move(*placements);
  options.cpu_clock_s = [] { return live::thread_cpu_time().seconds(); };
  const auto report = [&] {
    ProgressBar bar;
    options.progress = [&](const sim::InflationProgress& progress) {
      bar.show(static_cast<double>(progress.runs_done) / static_cast<double>(progress.runs),
               fmt::format("{} on {}  {} of {} runs", progress.placement, progress.trace,
                           progress.runs_done, progress.runs));
    };
    return sim::run_inflation(options);
  }();
  if (!report) return give_up(kError, "{}", report.error().message);
  return show_json_or(session, sim::to_json(*report), sim::to_table(*report));
}

}  // namespace gyre::cli
