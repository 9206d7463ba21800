#pragma once

#include <string>
#include <vector>

#include "cli/outcome.h"
#include "cli/verbs.h"

namespace gyre::cli {

struct ExperimentFlags {
  std::vector<std::string> traces;
  std::string nodes;
  std::string format;
  std::string placements;  // comma separated; empty: all
};

/// `gyre simulate --experiment fgd`: FGD's inflation experiment, our figures beside the published.
Outcome<int> run_experiment(const Session& session, const ExperimentFlags& flags);

}  // namespace gyre::cli
