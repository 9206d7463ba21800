#include "sim/tune/tune.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "base/units.h"
#include "sim/run.h"
#include "sim/setting.h"

namespace gyre::sim {
namespace {

constexpr std::uint32_t kWindowsMax = 64;
constexpr std::size_t kWindowJobsMin = 20;
// What waits a second or less waits not: ratios of such values would say much of nothing.
constexpr double kLeast = 1;

struct Windows {
  std::vector<Setting> searched;
  std::vector<Setting> kept;
  std::vector<std::string> traces;
  std::uint64_t jobs = 0;
  FleetSummary fleet;
  std::vector<std::string> notes;
};

/// The jobs [begin, end) of a trace as one of its own, from 0.
Trace window_of(const Trace& trace, std::size_t begin, std::size_t end) {
  Trace window;
  window.name = trace.name;
  window.format = trace.format;
  window.names = trace.names;
  window.demands = trace.demands;
  window.queues = trace.queues;
  window.users = trace.users;
  window.jobs.assign(trace.jobs.begin() + static_cast<std::ptrdiff_t>(begin),
                     trace.jobs.begin() + static_cast<std::ptrdiff_t>(end));
  const Duration lead = window.jobs.front().submit - Time{};
  for (TraceJob& job : window.jobs) job.submit = job.submit - lead;
  return window;
}

Result<SettingInputs> read_trace_of(const TuneOptions& options, std::size_t trace) {
  SimulateOptions one = options.simulation;
  one.trace_path = options.traces[trace];
  auto inputs = read_inputs(one);
  if (!inputs) return inputs;
  if (inputs->trace.jobs.size() < options.windows * kWindowJobsMin) {
    return fail(ErrorKind::Invalid, "{}: {} jobs are too few for {} windows of {} at least",
                inputs->trace.name, inputs->trace.jobs.size(), options.windows, kWindowJobsMin);
  }
  return inputs;
}

Result<Windows> cut(const TuneOptions& options) {
  Windows windows;
  for (std::size_t t = 0; t < options.traces.size(); ++t) {
    const auto inputs = read_trace_of(options, t);
    if (!inputs) return tl::unexpected(inputs.error());
    windows.notes.insert(windows.notes.end(), inputs->notes.begin(), inputs->notes.end());
    const Trace& trace = inputs->trace;
    windows.traces.push_back(trace.name);
    windows.jobs += trace.jobs.size();
    for (std::uint32_t w = 0; w < options.windows; ++w) {
      SettingInputs part{window_of(trace, trace.jobs.size() * w / options.windows,
                                   trace.jobs.size() * (w + 1) / options.windows),
                         inputs->fleet,
                         inputs->failures,
                         {}};
      auto setting = make_setting(std::move(part), options.simulation, windows.notes);
      if (!setting) return tl::unexpected(setting.error());
      const bool kept = w + options.kept >= options.windows;
      (kept ? windows.kept : windows.searched).push_back(std::move(*setting));
    }
  }
  SimulationReport report;
  describe(windows.kept.front(), false, report);
  windows.fleet = report.fleet;
  std::vector<std::string> notes;  // each once, though every window has it
  for (std::string& note : windows.notes) {
    if (std::find(notes.begin(), notes.end(), note) == notes.end())
      notes.push_back(std::move(note));
  }
  windows.notes = std::move(notes);
  return windows;
}

/// The objective of one policy in each window; infinite where it left more unfinished than the
/// base.
class Judge {
 public:
  Judge(const TuneOptions& options, const std::vector<Setting>& windows)
      : options_(options), windows_(windows) {}

  Result<void> judge_base() {
    auto results = run(options_.simulation.policies.front());
    if (!results) return tl::unexpected(results.error());
    base_ = std::move(*results);
    return {};
  }

  std::vector<double> base_values() const {
    std::vector<double> values;
    for (const PolicyResult& result : base_) values.push_back(options_.objective.value(result));
    return values;
  }

  /// The logarithm of policy's objective over base's, by window.
  Result<std::vector<double>> judge(const PolicySpec& policy) const {
    const auto results = run(policy);
    if (!results) return tl::unexpected(results.error());
    std::vector<double> logarithms;
    for (std::size_t w = 0; w < windows_.size(); ++w) {
      const PolicyResult& base = base_[w];
      const PolicyResult& result = (*results)[w];
      const double over = std::max(kLeast, options_.objective.value(result));
      const double under = std::max(kLeast, options_.objective.value(base));
      logarithms.push_back(result.finished < base.finished ? std::numeric_limits<double>::infinity()
                                                           : std::log(over / under));
    }
    return logarithms;
  }

 private:
  Result<std::vector<PolicyResult>> run(const PolicySpec& policy) const {
    std::vector<Result<PolicyResult>> results(windows_.size());
    options_.for_each(windows_.size(), [&](std::size_t w) {
      const Surroundings nothing;
      results[w] = run_policy({windows_[w], policy, options_.simulation.execution,
                               options_.simulation.check, false, 0, nothing});
    });
    std::vector<PolicyResult> all;
    for (auto& result : results) {
      if (!result) return tl::unexpected(result.error());
      all.push_back(std::move(*result));
    }
    return all;
  }

  const TuneOptions& options_;
  const std::vector<Setting>& windows_;
  std::vector<PolicyResult> base_;
};

/// Tries policies and remembers what came of each.
class Search {
 public:
  Search(const TuneOptions& options, const std::vector<Tunable>& settings, const Judge& judge,
         const std::vector<Trial>& known)
      : options_(options),
        base_(options.simulation.policies.front()),
        settings_(settings),
        judge_(judge) {
    for (const Trial& trial : known) known_[trial.settings] = trial.ratio;
    best_ = {values_of(base_), 1};
    tried_[best_.settings] = 1;
  }

  Result<void> run() {
    return options_.minimise(point_of(base_, settings_), options_.evaluations,
                             [this](const std::vector<double>& point) { return value(point); });
  }

  PolicySpec best() const {
    PolicySpec policy = base_;
    // The base may stand out of bounds, or say what no number here does: it stays as it is.
    if (best_.ratio >= 1) return policy;
    for (std::size_t i = 0; i < settings_.size(); ++i) {
      settings_[i].set(policy, best_.settings[i]);
    }
    return policy;
  }
  std::uint64_t tried() const { return tried_.size(); }

 private:
  std::vector<std::int64_t> values_of(const PolicySpec& policy) const {
    std::vector<std::int64_t> values;
    for (const Tunable& setting : settings_) values.push_back(setting.get(policy));
    return values;
  }

  Result<double> value(const std::vector<double>& point) {
    ++calls_;
    const PolicySpec policy = policy_at(base_, settings_, point);
    Trial trial{values_of(policy), 1};
    if (const auto found = tried_.find(trial.settings); found != tried_.end()) {
      trial.ratio = found->second;
    } else if (const auto known = known_.find(trial.settings); known != known_.end()) {
      trial.ratio = known->second;
    } else {
      const auto logarithms = judge_.judge(policy);
      if (!logarithms) return tl::unexpected(logarithms.error());
      trial.ratio = std::exp(estimate_of(*logarithms).mean);
      if (options_.tried) {
        if (auto kept = options_.tried(trial); !kept) return tl::unexpected(kept.error());
      }
    }
    tried_[trial.settings] = trial.ratio;
    if (trial.ratio < best_.ratio) best_ = trial;
    if (options_.progress) options_.progress({calls_, options_.evaluations, best_.ratio});
    // Far from anything good is as good as infinitely far, which no search can reckon with.
    return std::min(trial.ratio, 1e6);
  }

  const TuneOptions& options_;
  const PolicySpec& base_;
  const std::vector<Tunable>& settings_;
  const Judge& judge_;
  std::map<std::vector<std::int64_t>, double> known_;
  std::map<std::vector<std::int64_t>, double> tried_;
  Trial best_;
  std::uint64_t calls_ = 0;
};

/// What the base came to in each window tells other jobs, nodes and queues apart.
std::string inputs_of(const TuneOptions& options, const Windows& windows, const Judge& judge) {
  const PolicySpec& base = options.simulation.policies.front();
  std::string text =
      fmt::format("{} of {} on {}; {} windows, {} kept", options.objective.name, base.name,
                  fmt::join(windows.traces, ", "), options.windows, options.kept);
  for (const Tunable& setting : tunables(base)) {
    text += fmt::format("; {} {}", setting.name, setting.get(base));
  }
  return fmt::format("{}; gives {}", text, fmt::join(judge.base_values(), ", "));
}

}  // namespace

const std::vector<Objective>& objectives() {
  using R = PolicyResult;
  static const std::vector<Objective> kObjectives{
      {"jct", "mean completion time (JCT)", [](const R& r) { return r.jct.mean_s; }},
      {"jct-p99", "99th percentile of completion times", [](const R& r) { return r.jct.p99_s; }},
      {"wait", "mean wait", [](const R& r) { return r.wait.mean_s; }},
      {"wait-p99", "99th percentile of waits", [](const R& r) { return r.wait.p99_s; }},
      {"slowdown", "mean bounded slowdown", [](const R& r) { return r.bounded_slowdown_mean; }},
  };
  return kObjectives;
}

bool TuneReport::holds() const { return held.high < 0; }

PolicySpec TuneReport::chosen() const {
  PolicySpec policy = holds() ? found : base;
  std::string name = base.name;
  std::replace(name.begin(), name.end(), '+', '-');
  policy.name = name + "-tuned";
  return policy;
}

Result<void> validate(const TuneOptions& options) {
  if (auto valid = validate(options.simulation); !valid) return valid;
  if (options.simulation.policies.size() != 1) {
    return fail(ErrorKind::Invalid, "one policy is tuned at a time, found {}",
                options.simulation.policies.size());
  }
  const PolicySpec& base = options.simulation.policies.front();
  if (tunables(base).empty()) {
    return fail(ErrorKind::Invalid,
                "nothing of '{}' can be tuned: first come, first served goes by no setting; take "
                "gyre, tiresias, srtf, qssf, sjf, priority or preemptive, or a file based on one",
                base.name);
  }
  if (options.windows < 4 || options.windows > kWindowsMax) {
    return fail(ErrorKind::Invalid, "{} windows: 4 to {} are possible", options.windows,
                kWindowsMax);
  }
  const auto kept_max = static_cast<std::uint32_t>(options.windows - 2);
  if (options.kept < 2 || options.kept > kept_max) {
    return fail(ErrorKind::Invalid,
                "{} windows kept apart of {}: 2 to {} are possible, so that there are two to "
                "search and two to tell whether it holds",
                options.kept, options.windows, kept_max);
  }
  if (options.evaluations < 10 || options.evaluations > 1'000'000) {
    return fail(ErrorKind::Invalid, "{} evaluations: 10 to 1000000 are possible",
                options.evaluations);
  }
  for (const std::string& trace : options.traces) {
    if (trace == "-") {
      return fail(ErrorKind::Invalid, "a search reads files, so that it can go on later, not '-'");
    }
  }
  return {};
}

Result<TuneReport> tune(const TuneOptions& options) {
  if (auto valid = validate(options); !valid) return tl::unexpected(valid.error());
  auto windows = cut(options);
  if (!windows) return tl::unexpected(windows.error());
  const PolicySpec& base = options.simulation.policies.front();
  const std::vector<Tunable> settings = tunables(base);
  Judge judge(options, windows->searched);
  if (auto judged = judge.judge_base(); !judged) return tl::unexpected(judged.error());
  Result<std::vector<Trial>> known;
  if (options.resume) known = options.resume(inputs_of(options, *windows, judge));
  if (!known) return tl::unexpected(known.error());
  Search search(options, settings, judge, *known);
  if (auto done = search.run(); !done) return tl::unexpected(done.error());

  TuneReport report{.traces = windows->traces,
                    .jobs = windows->jobs,
                    .fleet = windows->fleet,
                    .objective = std::string(options.objective.text),
                    .windows = options.windows,
                    .kept = options.kept,
                    .tried = search.tried(),
                    .base = base,
                    .found = search.best(),
                    .settings = settings,
                    .searched = {},
                    .held = {},
                    .notes = windows->notes};
  const auto searched = judge.judge(report.found);
  if (!searched) return tl::unexpected(searched.error());
  report.searched = difference_of(*searched);
  Judge jury(options, windows->kept);
  if (auto judged = jury.judge_base(); !judged) return tl::unexpected(judged.error());
  const auto held = jury.judge(report.found);
  if (!held) return tl::unexpected(held.error());
  report.held = difference_of(*held);
  report.notes.push_back(
      "each window begins on an empty fleet with nothing learned; what was searched is better than "
      "it will be later, for it was chosen for that: go by what was kept apart");
  return report;
}

}  // namespace gyre::sim
