#include "sim/history/what_if.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "base/units.h"
#include "control/replay.h"
#include "sim/history/history.h"
#include "sim/report/recorder.h"
#include "sim/run.h"

namespace gyre::sim {
namespace {

constexpr double kOnTimeS = 1;

constexpr EventSeq kLastEvent{std::numeric_limits<std::uint64_t>::max()};

/// A journal up to an event, at a time at the latest, with the commands that it led to: a server
/// may write it meanwhile.
class UpTo final : public control::JournalReader {
 public:
  UpTo(control::JournalReader& journal, EventSeq last, Time until)
      : journal_(journal), last_(last), until_(until) {}

  Result<std::optional<control::Record>> next() override {
    if (over_) return std::optional<control::Record>();
    auto record = journal_.next();
    if (!record || !*record) return record;
    const auto* event = std::get_if<Event>(&**record);
    if (event != nullptr && !begins_at_) begins_at_ = event->at;
    over_ = event != nullptr && (event->seq > last_ || event->at > until_);
    return over_ ? std::optional<control::Record>() : std::move(record);
  }

  /// Whether something comes after it.
  bool is_cut() const { return over_; }
  /// Of the whole journal, once it has been read. Requires: it has an event.
  Time begins_at() const { return *begins_at_; }

 private:
  control::JournalReader& journal_;
  EventSeq last_;
  Time until_;
  bool over_ = false;
  std::optional<Time> begins_at_;
};

/// Tells a recorder of events as if time began with the first submission.
class FromBeginning final : public control::Observer {
 public:
  FromBeginning(Recorder& recorder, Time begin) : recorder_(recorder), begin_(begin) {}

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override {
    Event moved = event;
    moved.at = std::max(Time{}, Time{} + (event.at - begin_));
    recorder_.after(moved, decisions, core);
  }

 private:
  Recorder& recorder_;
  Time begin_;
};

/// What really happened; nullopt where this version decides otherwise than the one that wrote it.
Result<std::optional<PolicyResult>> recorded(const WhatIfOptions& options, const History& history,
                                             Time from) {
  auto journal = options.open();
  if (!journal) return tl::unexpected(journal.error());
  const Setting& setting = history.setting;
  Recorder recorder({kRecorded, setting.workload, setting.trace, history.last_event.value,
                     setting.trace.jobs.back().submit, true, from,
                     history.policy_at(from).starve_after, &*setting.script});
  FromBeginning observer(recorder, history.begins_at);
  UpTo reader(**journal, history.last_event, Time::max());
  control::Controller core{control::Config{}};
  const auto replayed = control::replay(reader, core, {1, true, &observer});
  if (!replayed) return tl::unexpected(replayed.error());
  if (!replayed->matches()) return std::optional<PolicyResult>();
  PolicyResult result = recorder.result();
  result.node_failures = history.node_failures;
  result.lost_gpu_hours = history.lost_gpu_hours;
  return result;
}

/// Of starts in the window.
Calibration compare(const PolicyResult& real, const PolicyResult& simulated, Time from) {
  Calibration calibration;
  double sum = 0;
  for (std::size_t i = 0; i < std::min(real.outcomes.size(), simulated.outcomes.size()); ++i) {
    const auto& was = real.outcomes[i].started_at;
    const auto& is = simulated.outcomes[i].started_at;
    if (!was || !is || std::max(*was, *is) < from) continue;
    const double difference = std::abs(static_cast<double>((*is - *was).ns) / 1e9);
    ++calibration.jobs;
    calibration.on_time += difference <= kOnTimeS ? 1 : 0;
    sum += difference;
  }
  if (calibration.jobs > 0) {
    calibration.difference_mean_s = sum / static_cast<double>(calibration.jobs);
  }
  return calibration;
}

void note_guesses(const History& history, const std::optional<PolicyResult>& real,
                  std::vector<std::string>& notes) {
  std::uint64_t declared = 0;
  std::uint64_t learned = 0;
  for (std::size_t i = 0; i < history.guesses.size(); ++i) {
    // What was refused would be refused again, however long it took.
    if (real && real->outcomes[i].attempts == 0 && real->outcomes[i].state == JobState::Failed) {
      continue;
    }
    declared += history.guesses[i] == History::Guess::Declared ? 1 : 0;
    learned += history.guesses[i] == History::Guess::Learned ? 1 : 0;
  }
  if (declared + learned == 0) return;
  notes.push_back(fmt::format(
      "{} jobs were stopped, or had not ended when the journal ends: how long they would run is "
      "not "
      "known. {} of them run for the estimate that came with them, {} for the median of what runs "
      "of such jobs suggest; none for less than it had run",
      declared + learned, declared, learned));
}

void note_replicas(const History& history, std::vector<std::string>& notes) {
  if (history.replicas == 0) return;
  notes.push_back(fmt::format(
      "{} replicas of services are held as they happened: under every policy they come when they "
      "came and go when they went, at the end of the journal at the latest, and only where they "
      "run is decided anew. They hold GPUs, and are in no other figure",
      history.replicas));
}

void note_what_is_left_out(const History& history, std::vector<std::string>& notes) {
  if (history.failed_starts + history.lost_tasks + history.stalls == 0) return;
  notes.push_back(fmt::format(
      "{} starts that nodes refused, {} tasks that were lost while their node was there "
      "and {} reports of tasks without progress do not happen again in simulation",
      history.failed_starts, history.lost_tasks, history.stalls));
}

void note_calibration(const Calibration& calibration, const std::string& policy,
                      std::vector<std::string>& notes) {
  notes.push_back(fmt::format(
      "'{}' is what happened, '{}' the same policy in simulation: {} of {} jobs start "
      "within a second of when they did, {:.1f} s off on average. Compare other "
      "policies with the simulated one",
      kRecorded, policy, calibration.on_time, calibration.jobs, calibration.difference_mean_s));
}

void forget_jobs(SimulationReport& report) {
  for (PolicyResult& result : report.results) {
    result.outcomes.clear();
    result.series.clear();
  }
}

void note_window(const PolicyResult& result, std::uint64_t jobs, std::vector<std::string>& notes) {
  notes.push_back(
      fmt::format("the window has {} of {} jobs: those that had not ended when it begins, with all "
                  "of the time that they wait and take. Up to then the policy that was live "
                  "decides, in every column",
                  result.jobs, jobs));
}

/// Whether anything says how long jobs run.
bool knows_run_times(const History& history) {
  return history.runs_ended > 0 || std::find(history.guesses.begin(), history.guesses.end(),
                                             History::Guess::Declared) != history.guesses.end();
}

/// The journal is closed before anything is played: a reader holds back its writer's clean-up.
Result<History> read_once(const WhatIfOptions& options, bool services) {
  auto journal = options.open();
  if (!journal) return tl::unexpected(journal.error());
  UpTo reader(**journal, kLastEvent, options.until.value_or(Time::max()));
  auto history = read_history(reader, options.name, options.since, services);
  if (history || history.error().kind != ErrorKind::NotFound) return history;
  if (!reader.is_cut()) return fail(ErrorKind::Invalid, "{}", history.error().message);
  return fail(ErrorKind::NotFound,
              "{}: no job had been submitted by {}: it begins at {}; take a later end",
              options.name, format_utc(*options.until), format_utc(reader.begins_at()));
}

Result<void> check_window(const WhatIfOptions& options, const History& history) {
  if (!options.since || *options.since <= history.ends_at) return {};
  return fail(ErrorKind::NotFound,
              "{}: nothing is recorded from {} on: it is of {} to {}; take an earlier time",
              options.name, format_utc(*options.since), format_utc(history.begins_at),
              format_utc(history.ends_at));
}

/// Only a journal with services needs a core beside it.
Result<History> read(const WhatIfOptions& options) {
  auto history = read_once(options, false);
  if (!history && history.error().kind == ErrorKind::Unsupported) {
    history = read_once(options, true);
  }
  if (history && !knows_run_times(*history)) {
    return fail(ErrorKind::Invalid,
                "{}: no job has ended and none says how long it runs ('expected_duration'), so "
                "nothing is known to play; try again when one has ended",
                options.name);
  }
  return history;
}

/// The policies to play, the one that was live first.
Result<std::vector<PolicySpec>> choose(const WhatIfOptions& options, const History& history,
                                       Time from) {
  PolicySpec live = history.policy_at(from);
  if (history.policy_changes(from)) {
    live = history.policy;  // the script has those that followed
    live.name = "as-it-was";
  }
  std::vector<PolicySpec> policies{live};
  for (const PolicySpec& policy : options.policies) {
    if (policy == live) continue;
    if (policy.name == live.name) {
      return fail(ErrorKind::Invalid,
                  "the policy '{}' is another than the one that was live under this name; give it "
                  "a name of its own",
                  policy.name);
    }
    if (policy.name == kRecorded) {
      return fail(ErrorKind::Invalid, "a policy cannot be called '{}' here: that is what happened",
                  policy.name);
    }
    policies.push_back(policy);
  }
  return policies;
}

}  // namespace

Result<SimulationReport> what_if(const WhatIfOptions& options) {
  if (auto named = check_policies(options.policies); !named) return tl::unexpected(named.error());
  auto history = read(options);
  if (!history) return tl::unexpected(history.error());
  if (auto held = check_window(options, *history); !held) return tl::unexpected(held.error());
  const Time from =
      options.since ? std::max(Time{}, Time{} + (*options.since - history->begins_at)) : Time{};
  const auto policies = choose(options, *history, from);
  if (!policies) return tl::unexpected(policies.error());
  auto real = recorded(options, *history, from);
  if (!real) return tl::unexpected(real.error());
  SimulationReport report;
  describe(history->setting, options.keep_jobs, report);
  note_guesses(*history, *real, report.notes);
  note_replicas(*history, report.notes);
  note_what_is_left_out(*history, report.notes);
  if (*real) {
    report.results.push_back(**real);
  } else {
    report.notes.push_back(
        "this version decides otherwise than the one that wrote the journal ('gyre replay' shows "
        "where), so what happened is not shown beside the rest");
  }
  for (std::size_t i = 0; i < policies->size(); ++i) {
    if (i > 0 || !history->policy_changes(from)) history->change_policy((*policies)[i], from);
    auto result = run_policy({history->setting, (*policies)[i], history->execution, options.check,
                              true, 0, options.surroundings, i, policies->size(), from});
    if (!result) return tl::unexpected(result.error());
    if (i == 0 && from > Time{}) {
      const PolicyResult& known = *real ? **real : *result;
      if (known.jobs == 0) {
        return fail(ErrorKind::NotFound,
                    "{}: no job waited, ran or came since {}; take an earlier "
                    "time",
                    options.name, format_utc(*options.since));
      }
      note_window(known, history->setting.trace.jobs.size(), report.notes);
    }
    if (i == 0 && *real) {
      report.calibration = compare(**real, *result, from);
      note_calibration(*report.calibration, result->policy, report.notes);
    }
    report.results.push_back(std::move(*result));
  }
  if (!options.keep_jobs) forget_jobs(report);
  return report;
}

}  // namespace gyre::sim
