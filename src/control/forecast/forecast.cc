#include "control/forecast/forecast.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "reason/queueing/estimate.h"

namespace gyre::control {
namespace {

constexpr std::size_t kPastMin = 20;  // submissions, before they say how it goes on
/// Where run times are guessed scenarios are too much alike: both bounds of the wait are this far
/// beyond theirs. Conformal calibration (Romano et al., NeurIPS 2019) of the share on one month of
/// Philly under `gyre`; how it holds on another one is in docs/benchmarks.md.
constexpr double kWideningPercent = 159;

bool declared(const JobSpec& spec, Duration age) {
  const auto estimate = reason::estimate_of(spec);
  return estimate && *estimate > age;
}

/// Whether it matters what jobs like those that are there took.
bool guesses(const Controller& core, const RunTimeLessons& lessons, const EstimateErrors& errors,
             Time now) {
  if (core.policy().durations == PolicySpec::Durations::Learned || errors.vary()) return true;
  bool any = false;
  core.jobs().for_each([&](const Job& job) {
    any = any || (!declared(job.spec, age_of(job, now)) && lessons.knows(job.spec));
  });
  return any;
}

/// What is waited beyond `from`, so many times.
Time scale(Time from, Time then, double factor) {
  const double wait = static_cast<double>((then - from).ns) * factor;
  return saturating_add(from, Duration{static_cast<std::int64_t>(std::min(wait, 9e18))});
}

/// Of the job's queue; the empty name where there is no such queue.
std::string partition_of(const Controller& core, JobId job) {
  const auto& queues = core.queues();
  const std::string& name = core.jobs().find(job)->spec->queue;
  const auto queue = std::find_if(queues.begin(), queues.end(),
                                  [&](const QueueSpec& spec) { return spec.name == name; });
  return queue == queues.end() ? std::string() : queue->partition;
}

}  // namespace

Forecaster::Forecaster(const Controller& core, Time now, const ForecastOptions& options)
    : options_(options),
      core_(core),
      now_(std::max(now, core.now())),
      lessons_(RunTimeLessons::of(core.jobs(), now_)),
      errors_(EstimateErrors::of(core.jobs())) {
  std::optional<Time> begin;
  core_.jobs().for_each([&](const Job& job) {
    if (!job.service.empty()) return;  // the copies make replicas by themselves
    if (now_ - job.submitted_at > options_.past_max || job.submitted_at >= now_) return;
    if (!begin) begin = job.submitted_at;
    past_.push_back({job.submitted_at - *begin, job.id, job.spec, work_of(job)});
  });
  if (past_.size() < kPastMin) {
    past_.clear();
  } else {
    past_length_ = now_ - *begin;
  }
  core_.forget_ended();
  for (int i = 0; i < options_.scenarios; ++i) draw_arrivals(i);
}

Forecaster::Sooner Forecaster::sooner_instead_of(JobId waiting, const JobSpec& spec, Time limit,
                                                 std::int64_t& work) const {
  if (work <= 0) return {false, {}};
  Controller fork = core_;
  work -= kCopyWorkPerJob * static_cast<std::int64_t>(fork.jobs().size());
  fork.step({now_, EventSeq{fork.last_event().value + 1}, JobStopRequested{waiting}});
  const JobId id{fork.jobs().last().value + 1};
  fork.step({now_, EventSeq{fork.last_event().value + 1}, JobSubmitted{id, spec, {}}});
  const Job* job = fork.jobs().find(id);
  if (job == nullptr) return {};  // it would be refused
  if (job->state != JobState::Queued) {
    return {true, now_ <= limit ? std::optional(now_) : std::nullopt};
  }
  const auto median = static_cast<std::size_t>(options_.scenarios) / 2;
  std::vector<Time> seen;
  Sooner sooner;
  for (int i = 0; i < options_.scenarios; ++i) {
    if (seen.size() + static_cast<std::size_t>(options_.scenarios - i) <= median) return {};
    if (work <= 0) return {false, {}};
    Scenario scenario = this->scenario(i);
    scenario.horizon = std::min(scenario.horizon, limit);
    const FutureOutcome outcome = play(fork, {id}, scenario);
    work -= outcome.work;
    const auto started = outcome.started.find(id);
    if (started != outcome.started.end() && started->second <= limit) {
      if (seen.empty()) {
        const FutureOutcome soonest = play_soonest(fork, outcome, i);
        work -= soonest.work;
        sooner.at_latest = soonest.started.at(id) < started->second;
      }
      seen.push_back(started->second);
    }
  }
  if (seen.size() <= median) return {};
  std::nth_element(seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(median), seen.end());
  sooner.at = seen[median];
  return sooner;
}

std::map<JobId, StartForecast> Forecaster::starts(const std::set<JobId>& jobs) const {
  std::set<JobId> endless;
  std::map<JobId, Starts> times = play_all(jobs, endless);
  const bool widened = guesses(core_, lessons_, errors_, now_);
  std::map<JobId, Time> gate;
  if (widened) gate = gates(jobs);
  std::map<JobId, StartForecast> forecasts;
  for (const JobId id : jobs) {
    const auto opens = gate.find(id);
    StartForecast forecast =
        tell(std::move(times[id]), opens == gate.end() ? now_ : opens->second, widened);
    if (!forecast.median && forecast.earliest) {
      const std::string who = who_is_endless(core_, id, endless, false);
      forecast.unknown = who.empty() ? "jobs that are yet to come may have no estimate" : who;
    } else if (!forecast.median) {
      forecast.unknown = why_unknown(core_, *core_.jobs().find(id), endless);
    }
    forecasts.emplace(id, std::move(forecast));
  }
  return forecasts;
}

std::map<JobId, Forecaster::Starts> Forecaster::play_all(const std::set<JobId>& jobs,
                                                         std::set<JobId>& endless) const {
  std::map<JobId, Starts> times;
  const auto median = static_cast<std::size_t>(options_.scenarios) / 2;
  const auto undecided = [&](int left) {
    return std::any_of(jobs.begin(), jobs.end(), [&](JobId id) {
      return times[id].seen.size() + static_cast<std::size_t>(left) > median;
    });
  };
  for (int i = 0; i < options_.scenarios && undecided(options_.scenarios - i); ++i) {
    const FutureOutcome outcome = play(core_, jobs, scenario(i));
    const FutureOutcome soonest = play_soonest(core_, outcome, i);
    for (const auto& [job, at] : outcome.started) {
      times[job].seen.push_back(at);
      times[job].soonest.push_back(soonest.started.at(job));
    }
    endless.insert(outcome.endless.begin(), outcome.endless.end());
  }
  return times;
}

/// What has started in a scenario, and when it does if all whose run time nobody knows are over at
/// once.
FutureOutcome Forecaster::play_soonest(const Controller& core, const FutureOutcome& seen,
                                       int index) const {
  FutureOutcome soonest;
  soonest.started = seen.started;
  if (seen.started.empty() || !any_ends(core, seen)) return soonest;
  std::set<JobId> jobs;
  Scenario scenario = this->scenario(index, Unknown::AtOnce);
  scenario.horizon = now_;
  scenario.work_max -= seen.work;
  for (const auto& [job, at] : seen.started) {
    jobs.insert(job);
    scenario.horizon = std::max(scenario.horizon, at);
  }
  const FutureOutcome outcome = play(core, jobs, scenario);
  soonest.work = outcome.work;
  for (auto& [job, at] : soonest.started) {
    const auto started = outcome.started.find(job);
    if (started != outcome.started.end()) {
      at = std::min(at, started->second);
    } else if (outcome.cut) {
      at = now_;
    }
  }
  return soonest;
}

/// When these start were all work done: what they wait for until then no run time decides.
std::map<JobId, Time> Forecaster::gates(const std::set<JobId>& jobs) const {
  Scenario scenario = this->scenario(0);
  scenario.arrivals = {};
  scenario.work = [](const Job& job, Duration age) {
    return job.service.empty() ? std::optional(age) : std::nullopt;
  };
  scenario.stop = [](const Job&, Duration waited) { return waited; };
  return play(core_, jobs, scenario).started;
}

StartForecast Forecaster::tell(Starts starts, Time gate, bool widened) const {
  std::vector<Time>& seen = starts.seen;
  std::vector<Time>& soonest = starts.soonest;
  const auto median = static_cast<std::size_t>(options_.scenarios) / 2;
  StartForecast forecast;
  if (seen.size() <= median) return forecast;
  std::sort(seen.begin(), seen.end());
  std::sort(soonest.begin(), soonest.end());
  // Of n draws and the truth, each is as likely to have any rank.
  const auto draws = static_cast<double>(options_.scenarios + 1);
  const double tail = (1 - StartForecast::kShare) / 2;
  const auto low = static_cast<std::size_t>(std::max(1.0, std::floor(tail * draws))) - 1;
  const auto high = static_cast<std::size_t>(std::ceil((1 - tail) * draws)) - 1;
  gate = std::min({gate, seen.front(), soonest.front()});
  const double factor = widened ? kWideningPercent / 100 : 1;
  forecast.median = seen[median];
  forecast.earliest = scale(gate, seen[low], 1 / factor);
  if (high < seen.size()) forecast.latest = scale(gate, seen[high], factor);
  if (soonest[median] < *forecast.earliest) {
    forecast.median.reset();
    forecast.earliest = scale(gate, soonest[low], 1 / factor);
  }
  return forecast;
}

/// Whether jobs may end although nobody knows when. A replica goes on as its service does.
bool Forecaster::any_ends(const Controller& core, const FutureOutcome& seen) {
  std::set<std::string> partitions;
  for (const auto& [job, at] : seen.started) partitions.insert(partition_of(core, job));
  return std::any_of(seen.endless.begin(), seen.endless.end(), [&](JobId id) {
    const Job* job = core.jobs().find(id);
    return !seen.started.contains(id) &&
           (job == nullptr ||
            (job->service.empty() && partitions.contains(partition_of(core, id))));
  });
}

Rng Forecaster::rng_of(int scenario) const {
  return Rng(options_.seed).stream(fmt::format("scenario-{}", scenario));
}

/// The submissions of a scenario: those of the past, from a place in it on.
void Forecaster::draw_arrivals(int scenario) {
  std::vector<Scenario::Arrival>& arrivals = arrivals_.emplace_back();
  if (past_.empty() || past_length_.ns <= 0) return;
  Rng rng = rng_of(scenario);
  const Rng draws = rng.stream("work");
  const Time horizon = saturating_add(now_, options_.horizon);
  const Duration from{
      static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(past_length_.ns)))};
  auto next = static_cast<std::size_t>(
      std::lower_bound(past_.begin(), past_.end(), from,
                       [](const Past& past, Duration at) { return past.offset < at; }) -
      past_.begin());
  Time lap = now_ - from;
  for (std::int64_t i = 0; i < options_.events_max / 3; ++i, ++next) {
    if (next == past_.size()) {
      next = 0;
      lap = lap + past_length_;
    }
    const Time at = lap + past_[next].offset;
    if (at > horizon) break;
    arrivals.push_back({at, past_[next].spec, work_again(past_[next], draws)});
  }
}

Scenario Forecaster::scenario(int index, Unknown unknown) const {
  const Rng draws = rng_of(index).stream("work");
  Scenario scenario;
  scenario.events_max = options_.events_max;
  scenario.work_max = options_.work_max / options_.scenarios;
  scenario.begin = now_;
  scenario.horizon = saturating_add(now_, options_.horizon);
  scenario.arrivals = arrivals_[static_cast<std::size_t>(index)];
  scenario.work = [this, draws, unknown](const Job& job, Duration age) {
    Rng own = draws.stream(fmt::format("{}", job.id.value));
    const auto work = draw_work(job, age, own.uniform());
    const bool over = !work && unknown == Unknown::AtOnce && job.service.empty();
    return over ? std::optional(age) : work;
  };
  scenario.stop = [this, draws](const Job& job, Duration waited) {
    Rng own = draws.stream(fmt::format("stop-{}-{}", job.id.value, job.attempt));
    return draw_stop(job, waited, own.uniform());
  };
  return scenario;
}

/// Of a submission that comes again: as then, if that is known.
std::optional<Duration> Forecaster::work_again(const Past& past, const Rng& draws) const {
  if (past.work) return past.work;
  Job job;
  job.id = past.job;
  job.spec = past.spec;
  Rng own = draws.stream(fmt::format("again-{}", past.job.value));
  return draw_work(job, Duration{0}, own.uniform());
}

std::optional<Duration> Forecaster::draw_work(const Job& job, Duration age, double q) const {
  const bool learned = core_.policy().durations == PolicySpec::Durations::Learned;
  if (!learned) {
    if (const auto work = draw_declared(job.spec, age, q)) return work;
  }
  if (lessons_.knows(job.spec)) return lessons_.quantile(job, age, q);
  return draw_declared(job.spec, age, q);
}

std::optional<Duration> Forecaster::draw_declared(const JobSpec& spec, Duration age,
                                                  double q) const {
  const auto estimate = reason::estimate_of(spec);
  if (!estimate) return std::nullopt;
  if (errors_.knows(spec)) return errors_.quantile(spec, age, q);
  return *estimate > age ? estimate : std::nullopt;
}

Duration Forecaster::draw_stop(const Job& job, Duration waited, double q) const {
  const Duration killed = job.spec->checkpoint.grace;
  std::vector<Duration> longer;
  for (const Duration stop : core_.recent_stops().latest()) {
    if (stop >= waited) longer.push_back(std::min(stop, killed));
  }
  if (longer.empty()) {
    // Nothing is known: a stop that is under way may be one that ends only by being killed.
    const Job* present = core_.jobs().find(job.id);
    const bool under_way =
        present != nullptr && present->attempt == job.attempt &&
        (present->state == JobState::Preempting || present->state == JobState::Stopping);
    return under_way ? killed : Duration{0};
  }
  std::sort(longer.begin(), longer.end());
  return longer[static_cast<std::size_t>(q * static_cast<double>(longer.size()))];
}

/// `replicas`: whether a service's count, too.
std::string Forecaster::who_is_endless(const Controller& core, JobId job,
                                       const std::set<JobId>& endless, bool replicas) {
  const std::string partition = partition_of(core, job);
  for (const JobId id : endless) {
    const Job* other = core.jobs().find(id);
    if (id == job || other == nullptr || partition_of(core, id) != partition) continue;
    if (!replicas && !other->service.empty()) continue;
    const bool over = other->spec->expected_duration && is_placed(other->state);
    return fmt::format(
        "job {} has {}, and too few jobs like it have ended to know better", id.value,
        over ? "run longer than it was expected to" : "no estimate (expected_duration)");
  }
  return "";
}

std::string Forecaster::why_unknown(const Controller& core, const Job& job,
                                    const std::set<JobId>& endless) {
  const WaitReason reason = core.explain(job).reason;
  if (reason == WaitReason::WaitingForProvisioning)
    return "the nodes that it needs are down or out of service";
  if (reason == WaitReason::ExceedsMaxQuota) return "its queue may never use so much";
  const std::string who = who_is_endless(core, job.id, endless, true);
  return who.empty() ? "it is later than can be looked ahead" : who;
}

}  // namespace gyre::control
