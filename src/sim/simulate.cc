#include "sim/simulate.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/units.h"
#include "sim/run.h"
#include "sim/setting.h"
#include "sim/traces/table.h"

namespace gyre::sim {
namespace {

constexpr Duration kLatencyMax = seconds(std::int64_t{366} * 86'400);

bool plans_with_estimates(const PolicySpec& policy) {
  using Order = PolicySpec::Order;
  using Backfill = PolicySpec::Backfill;
  if (policy.durations == PolicySpec::Durations::Learned) return false;
  return policy.backfill == Backfill::Easy || policy.backfill == Backfill::Conservative ||
         policy.order == Order::Sjf || policy.order == Order::Srtf;
}

/// Whether the trace's estimates are the truth: an oracle for policies that go by them.
bool declares_the_truth(const Trace& trace) {
  return std::all_of(trace.jobs.begin(), trace.jobs.end(),
                     [](const TraceJob& job) { return job.declared == job.duration; });
}

void note_rejections(const PolicyResult& result, std::vector<std::string>& notes) {
  if (!result.rejection || result.rejection->reason.empty()) return;
  const Rejection& one = *result.rejection;
  notes.push_back(
      result.rejected == 1
          ? fmt::format("a job is rejected, '{}': {}", one.example, one.reason)
          : fmt::format("{} jobs are rejected, {} of them for what '{}' is rejected for: {}",
                        result.rejected, one.jobs, one.example, one.reason));
}

void note_cut(const PolicyResult& result, std::size_t jobs, std::vector<std::string>& notes) {
  if (!result.cut_short_at_s) return;
  notes.push_back(fmt::format(
      "under {} the run was ended after {} failures of nodes, {} after the first arrival: {} of {} "
      "jobs had not ended. More do with a longer --mtbf, or where jobs keep their work with "
      "--checkpoint-interval",
      result.policy, result.node_failures,
      format_duration(milliseconds(std::llround(*result.cut_short_at_s * 1000))),
      jobs - result.finished - result.rejected - result.failed, jobs));
}

}  // namespace

Result<void> validate(const SimulateOptions& options) {
  if (auto named = check_policies(options.policies); !named) return named;
  if (auto shape = check_shape(options.nodes); !shape) return shape;
  const ExecutionOptions& costs = options.execution;
  for (const Duration cost : {costs.start_latency, costs.stop_latency, costs.restart_overhead,
                              costs.checkpoint_interval.value_or(seconds(1))}) {
    if (cost.ns < 0 || cost > kLatencyMax) {
      return fail(ErrorKind::Invalid,
                  "a latency, overhead or interval of {} is out of bounds; 0 "
                  "to a year is possible",
                  format_duration(cost));
    }
  }
  if (options.execution.checkpoint_interval == Duration{0}) {
    return fail(ErrorKind::Invalid, "a checkpoint interval cannot be 0; leave it out for none");
  }
  const Duration part = options.resample.value_or(seconds(1));
  if (part.ns <= 0 || part > kSpanMax) {
    return fail(ErrorKind::Invalid, "parts of {} cannot be: above 0 and at most 100 years",
                format_duration(part));
  }
  const FaultOptions& faults = options.faults;
  if (faults.mtbf && !faults.trace_path.empty()) {
    return fail(ErrorKind::Invalid, "failures come by rate or from a fault trace, not both");
  }
  for (const Duration mean : {faults.mtbf.value_or(seconds(1)), faults.mttr}) {
    if (mean.ns <= 0 || mean > kSpanMax) {
      return fail(ErrorKind::Invalid,
                  "a mean time between failures or to repair of {} is out of "
                  "bounds; it must be above 0 and at most 100 years",
                  format_duration(mean));
    }
  }
  return {};
}

Result<void> check_policies(const std::vector<PolicySpec>& policies) {
  if (policies.empty()) {
    return fail(ErrorKind::Invalid, "no policy is given; name one or more with --policy");
  }
  std::vector<std::string> names;
  for (const PolicySpec& policy : policies) names.push_back(policy.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return {};
  return fail(ErrorKind::Invalid, "the policy '{}' is given twice", *twice);
}

Result<SimulationReport> simulate(const SimulateOptions& options) {
  if (auto valid = validate(options); !valid) return tl::unexpected(valid.error());
  auto inputs = read_inputs(options);
  if (!inputs) return tl::unexpected(inputs.error());
  return simulate(std::move(*inputs), options);
}

Result<SimulationReport> simulate(SettingInputs inputs, const SimulateOptions& options) {
  SimulationReport report;
  const auto setting = make_setting(std::move(inputs), options, report.notes);
  if (!setting) return tl::unexpected(setting.error());
  describe(*setting, options.keep_jobs, report);
  report.seed = options.seed;
  if (declares_the_truth(setting->trace) &&
      std::any_of(options.policies.begin(), options.policies.end(), plans_with_estimates)) {
    report.notes.push_back(
        "backfill, sjf and srtf plan with the exact durations of the trace, which a live cluster "
        "does not know");
  }
  for (std::size_t i = 0; i < options.policies.size(); ++i) {
    auto result = run_policy({*setting, options.policies[i], options.execution, options.check,
                              options.keep_jobs, options.starts_told_one_in, options.surroundings,
                              i, options.policies.size()});
    if (!result) return tl::unexpected(result.error());
    if (i == 0) note_rejections(*result, report.notes);
    note_cut(*result, setting->trace.jobs.size(), report.notes);
    report.results.push_back(std::move(*result));
  }
  return report;
}

}  // namespace gyre::sim
