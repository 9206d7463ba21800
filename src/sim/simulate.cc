#include "sim/simulate.h"

#include <algorithm>
#include <utility>

#include "base/units.h"
#include "control/driver.h"
#include "sim/check/checker.h"
#include "sim/report/recorder.h"
#include "sim/setting.h"
#include "sim/traces/table.h"

namespace gyre::sim {
namespace {

constexpr std::uint64_t kEventsPerProgress = 4096;
constexpr Duration kLatencyMax = seconds(std::int64_t{366} * 86'400);
#ifdef GYRE_CHECK
constexpr bool kAlwaysCheck = true;
#else
constexpr bool kAlwaysCheck = false;
#endif

/// Passes what the driver shows on to who wants to see it.
class Watch final : public control::Observer {
 public:
  struct Inputs {
    World& world;
    Recorder& recorder;
    Checker* checker;  // may be absent
    const std::function<void(const Progress&)>& show;
    Progress progress;
  };
  explicit Watch(Inputs inputs) : inputs_(std::move(inputs)) {}

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override {
    for (const Transition& transition : decisions.transitions) {
      if (is_final(transition.to)) inputs_.world.job_over(transition.job);
    }
    inputs_.recorder.after(event, decisions, core);
    if (inputs_.checker != nullptr) inputs_.checker->after(event, decisions, core);
    if (++inputs_.progress.events % kEventsPerProgress == 0) show();
  }

  void show() {
    if (!inputs_.show) return;
    inputs_.progress.jobs_done = inputs_.recorder.jobs_done();
    inputs_.show(inputs_.progress);
  }

 private:
  Inputs inputs_;
};

std::uint64_t expected_events(const Setting& setting) {
  std::uint64_t events = 1 + setting.workload.all_queues.size() + setting.fleet.nodes.size();
  for (const std::uint32_t gang : setting.workload.gang_of) {
    events += 1 + 2 * static_cast<std::uint64_t>(task_count(setting.workload.gangs[gang]));
  }
  return events;
}

Result<std::unique_ptr<control::Journal>> open_journal(const SimulateOptions& options,
                                                       const PolicySpec& policy) {
  if (options.surroundings.open_journal) return options.surroundings.open_journal(policy);
  return std::make_unique<control::NullJournal>();
}

Result<PolicyResult> run_policy(const SimulateOptions& options, const Setting& setting,
                                std::size_t index) {
  const PolicySpec& policy = options.policies[index];
  const auto& wall_s = options.surroundings.wall_clock_s;
  const double began = wall_s ? wall_s() : 0;
  auto journal = open_journal(options, policy);
  if (!journal) return tl::unexpected(journal.error());

  control::Config config;
  config.jobs_finished_kept_max = 1;  // the recorder keeps what a report needs
  control::Controller core(config);
  World world = setting.world(policy, options.execution);
  Recorder recorder({policy.name, setting.workload, setting.trace, expected_events(setting),
                     setting.trace.jobs.back().submit, options.keep_jobs});
  std::optional<Checker> checker;
  if (options.check || kAlwaysCheck) checker.emplace();
  Watch watch({world,
               recorder,
               checker ? &*checker : nullptr,
               options.surroundings.progress,
               {policy.name, index, options.policies.size(), 0, 0, setting.trace.jobs.size()}});
  if (auto done = control::run(core, world, **journal, watch); !done) {
    return tl::unexpected(done.error());
  }
  watch.show();
  if (checker) {
    checker->finish(core);
    if (!checker->violations().empty()) {
      return fail(ErrorKind::Internal, "policy {}: {} ({} in all)", policy.name,
                  describe(checker->violations().front()), checker->violations().size());
    }
  }
  PolicyResult result = recorder.result();
  result.lost_gpu_hours = world.lost_gpu_hours();
  result.node_failures = world.node_failures();
  if (wall_s) result.wall_s = wall_s() - began;
  if (options.surroundings.peak_rss_mib) result.peak_rss_mib = options.surroundings.peak_rss_mib();
  return result;
}

void describe_jobs(const Trace& trace, SimulationReport& report) {
  report.queue_names = trace.queues;
  for (const TraceJob& job : trace.jobs) {
    report.job_names.push_back(trace.names[job.row]);
    report.job_queues.push_back(job.queue);
  }
}

void describe_fleet(const Fleet& fleet, FleetSummary& summary) {
  std::vector<std::string> partitions;
  for (const NodeSpec& node : fleet.nodes) {
    summary.gpus += static_cast<std::uint64_t>(node.gpus);
    partitions.push_back(node.partition);
  }
  std::sort(partitions.begin(), partitions.end());
  partitions.erase(std::unique(partitions.begin(), partitions.end()), partitions.end());
  summary.nodes = fleet.nodes.size();
  summary.partitions = partitions.size();
}

/// What the trace gives as estimates is the truth: an oracle for policies that go by it.
bool uses_true_durations(const PolicySpec& policy) {
  using Order = PolicySpec::Order;
  using Backfill = PolicySpec::Backfill;
  if (policy.durations == PolicySpec::Durations::Learned) return false;
  return policy.backfill == Backfill::Easy || policy.backfill == Backfill::Conservative ||
         policy.order == Order::Sjf || policy.order == Order::Srtf;
}

}  // namespace

Result<void> validate(const SimulateOptions& options) {
  if (options.policies.empty()) {
    return fail(ErrorKind::Invalid, "no policy is given; name one or more with --policy");
  }
  std::vector<std::string> names;
  for (const PolicySpec& policy : options.policies) names.push_back(policy.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) {
    return fail(ErrorKind::Invalid, "the policy '{}' is given twice", *twice);
  }
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

Result<SimulationReport> simulate(const SimulateOptions& options) {
  if (auto valid = validate(options); !valid) return tl::unexpected(valid.error());
  SimulationReport report;
  const auto setting = read_setting(options, report.notes);
  if (!setting) return tl::unexpected(setting.error());
  const Trace& trace = setting->trace;
  report.trace = {trace.name, trace.format, trace.jobs.size(), trace.skipped};
  report.seed = options.seed;
  describe_fleet(setting->fleet, report.fleet);
  if (options.keep_jobs) describe_jobs(trace, report);
  if (std::any_of(options.policies.begin(), options.policies.end(), uses_true_durations)) {
    report.notes.push_back(
        "backfill, sjf and srtf plan with the exact durations of the trace, which a live cluster "
        "does not know");
  }
  for (std::size_t i = 0; i < options.policies.size(); ++i) {
    auto result = run_policy(options, *setting, i);
    if (!result) return tl::unexpected(result.error());
    report.results.push_back(std::move(*result));
  }
  return report;
}

}  // namespace gyre::sim
