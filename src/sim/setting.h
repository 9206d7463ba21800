#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/policy.h"
#include "sim/faults/failure_model.h"
#include "sim/script.h"
#include "sim/simulate.h"
#include "sim/traces/fleet.h"
#include "sim/traces/trace.h"
#include "sim/workload.h"

namespace gyre::sim {

/// All that runs of one trace on one fleet have in common. Each world of it begins at the
/// beginning, and lives no longer than it does.
struct Setting {
  Trace trace;
  Fleet fleet;
  Workload workload;
  FailureModel failures;
  std::optional<Script> script = std::nullopt;

  World world(const PolicySpec& policy, const ExecutionOptions& execution) const {
    return World(
        {trace, workload, fleet, policy, execution, failures, script ? &*script : nullptr});
  }
};

/// What was read for a setting, whatever the seed is.
struct SettingInputs {
  Trace trace;
  Fleet fleet;
  FailureModel failures;           // of a fault trace
  std::vector<std::string> notes;  // what a reader of results must know
};

/// Reads the trace, the fleet and the faults. Requires: validate(options). Errors: Invalid for what
/// is wrong in them, with file, line and column.
Result<SettingInputs> read_inputs(const SimulateOptions& options);

/// The setting that options.seed makes of them; what else a reader must know goes to `notes`.
/// Errors: Invalid for queues or parts that do not go with the inputs.
Result<Setting> make_setting(SettingInputs inputs, const SimulateOptions& options,
                             std::vector<std::string>& notes);

/// simulate() with what was read.
Result<SimulationReport> simulate(SettingInputs inputs, const SimulateOptions& options);

}  // namespace gyre::sim
