#include "sim/run.h"

#include <algorithm>
#include <utility>

#include "control/driver.h"
#include "sim/check/checker.h"
#include "sim/report/recorder.h"
#include "sim/report/start_teller.h"

namespace gyre::sim {
namespace {

constexpr std::uint64_t kEventsPerProgress = 4096;
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
    Checker* checker;     // may be absent
    StartTeller* teller;  // the same
    const std::function<void(const Progress&)>& show;
    Progress progress;
    Time measured_from;
  };
  explicit Watch(Inputs inputs) : inputs_(std::move(inputs)) {}

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override {
    if (!measuring_ && event.at >= inputs_.measured_from) {
      measuring_ = true;
      lost_before_ = {inputs_.world.lost_gpu_hours(), inputs_.world.node_failures()};
    }
    for (const Transition& transition : decisions.transitions) {
      if (is_final(transition.to)) inputs_.world.job_over(transition.job);
    }
    inputs_.recorder.after(event, decisions, core);
    if (inputs_.checker != nullptr) inputs_.checker->after(event, decisions, core);
    if (inputs_.teller != nullptr) inputs_.teller->after(event, decisions, core);
    if (++inputs_.progress.events % kEventsPerProgress == 0) show();
  }

  void show() {
    if (!inputs_.show) return;
    inputs_.progress.jobs_done = inputs_.recorder.jobs_done();
    inputs_.progress.node_failures = inputs_.world.node_failures();
    inputs_.show(inputs_.progress);
  }

  /// What the world lost since figures are taken.
  void fill(PolicyResult& result) const {
    result.lost_gpu_hours = inputs_.world.lost_gpu_hours() - lost_before_.gpu_hours;
    result.node_failures = inputs_.world.node_failures() - lost_before_.nodes;
    if (const auto at = inputs_.world.cut_short_at())
      result.cut_short_at_s = (*at - Time{}).seconds();
  }

 private:
  struct Lost {
    double gpu_hours = 0;
    std::uint64_t nodes = 0;
  };
  Inputs inputs_;
  bool measuring_ = false;
  Lost lost_before_;
};

std::uint64_t expected_events(const Setting& setting) {
  std::uint64_t events = 1 + setting.workload.all_queues.size() + setting.fleet.nodes.size();
  for (const std::uint32_t gang : setting.workload.gang_of) {
    events += 1 + 2 * static_cast<std::uint64_t>(task_count(setting.workload.gangs[gang]));
  }
  return events;
}

Result<std::unique_ptr<control::Journal>> open_journal(const RunOptions& options) {
  if (options.surroundings.open_journal) return options.surroundings.open_journal(options.policy);
  return std::make_unique<control::NullJournal>();
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

}  // namespace

Result<PolicyResult> run_policy(const RunOptions& options) {
  const Setting& setting = options.setting;
  const PolicySpec& policy = options.policy;
  const auto& wall_s = options.surroundings.wall_clock_s;
  const double began = wall_s ? wall_s() : 0;
  auto journal = open_journal(options);
  if (!journal) return tl::unexpected(journal.error());

  control::Config config;
  // The recorder keeps what a report needs; a look ahead learns from those that have ended.
  const bool tells = options.starts_told_one_in > 0;
  if (!tells) config.jobs_finished_kept_max = 1;
  control::Controller core(config);
  World world = setting.world(policy, options.execution);
  Recorder recorder({policy.name, setting.workload, setting.trace, expected_events(setting),
                     setting.trace.jobs.back().submit, options.keep_jobs, options.measured_from,
                     policy.starve_after, setting.script ? &*setting.script : nullptr});
  std::optional<Checker> checker;
  if (options.check || kAlwaysCheck) checker.emplace();
  std::optional<StartTeller> teller;
  if (tells) teller.emplace(options.starts_told_one_in);
  Watch watch({world,
               recorder,
               checker ? &*checker : nullptr,
               teller ? &*teller : nullptr,
               options.surroundings.progress,
               {policy.name, options.index, options.count, 0, 0, setting.trace.jobs.size(), 0},
               options.measured_from});
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
  watch.fill(result);
  result.fallbacks = core.prediction_fallbacks();
  if (teller) result.starts_told = teller->result();
  if (teller && !options.keep_jobs) result.starts_told->starts.clear();
  if (wall_s) result.wall_s = wall_s() - began;
  if (options.surroundings.peak_rss_mib) result.peak_rss_mib = options.surroundings.peak_rss_mib();
  return result;
}

void describe(const Setting& setting, bool keep_jobs, SimulationReport& report) {
  const Trace& trace = setting.trace;
  report.trace = {trace.name, trace.format, trace.jobs.size(), trace.skipped};
  describe_fleet(setting.fleet, report.fleet);
  if (!keep_jobs) return;
  report.queue_names = trace.queues;
  for (const TraceJob& job : trace.jobs) {
    report.job_names.push_back(trace.names[job.row]);
    report.job_queues.push_back(job.queue);
  }
}

}  // namespace gyre::sim
