#include "control/forecast/future.h"

#include <algorithm>
#include <csignal>
#include <deque>
#include <queue>
#include <tuple>
#include <utility>

#include "control/forecast/run_time_lessons.h"

namespace gyre::control {
namespace {

class Play {
 public:
  Play(Controller core, const std::set<JobId>& jobs, const Scenario& scenario)
      : core_(std::move(core)),
        wanted_(jobs),
        scenario_(scenario),
        now_(std::max(core_.now(), scenario.begin)),
        seq_(core_.last_event().value) {
    outcome_.work = kCopyWorkPerJob * static_cast<std::int64_t>(core_.jobs().size());
  }

  FutureOutcome run() {
    take_up();
    while (!done() && advance()) {
    }
    outcome_.cut = !wanted_.empty() && is_spent();
    return std::move(outcome_);
  }

 private:
  /// The natural end of an attempt, or the end of a stop.
  struct End {
    Time at;
    std::uint64_t order = 0;
    JobId job;
    std::int32_t attempt = 0;
    bool stopped = false;
    bool operator>(const End& other) const {
      return std::tie(at, order) > std::tie(other.at, other.order);
    }
  };

  bool is_spent() const {
    return events_ >= scenario_.events_max || outcome_.work >= scenario_.work_max;
  }
  bool done() const { return wanted_.empty() || is_spent() || now_ > scenario_.horizon; }

  /// What is on its way when the play begins.
  void take_up() {
    std::vector<JobId> placed;
    core_.jobs().for_each([&](const Job& job) {
      if (is_placed(job.state)) placed.push_back(job.id);
    });
    for (const JobId id : placed) {
      const Job& job = *core_.jobs().find(id);
      if (job.state == JobState::Preempting || job.state == JobState::Stopping) {
        const Duration takes = scenario_.stop(job, now_ - job.state_since);
        end_at(std::max(now_, saturating_add(job.state_since, takes)), job, true);
      } else {
        begin(id, job.attempt);
      }
    }
    obey();
  }

  /// One event. False when nothing is left that could happen.
  bool advance() {
    const Time ends = ends_.empty() ? Time::max() : ends_.top().at;
    const bool more = arrived_ < scenario_.arrivals.size();
    const Time arrives = more ? scenario_.arrivals[arrived_].at : Time::max();
    const Time wakes = core_.next_wakeup().value_or(Time::max());
    const Time next = std::min({ends, arrives, wakes});
    if (next == Time::max()) return false;
    now_ = std::max(now_, next);
    if (next == ends) {
      const End end = ends_.top();
      ends_.pop();
      finish(end);
    } else if (next == wakes) {
      step(Tick{});
    } else {
      arrive(scenario_.arrivals[arrived_++]);
    }
    obey();
    return true;
  }

  void arrive(const Scenario::Arrival& arrival) {
    const JobId id{core_.jobs().last().value + 1};
    if (arrival.work) work_[id] = arrival.work;
    step(JobSubmitted{id, arrival.spec, {}});
  }

  void finish(const End& end) {
    const Job* job = core_.jobs().find(end.job);
    if (job == nullptr || job->attempt != end.attempt || !is_placed(job->state)) return;
    const bool stopping = job->state == JobState::Preempting || job->state == JobState::Stopping;
    if (stopping != end.stopped) return;
    TaskExit exit;
    if (end.stopped) exit = {TaskExit::Kind::Signaled, SIGTERM, true, {}};
    for (std::size_t i = 0; i < job->tasks.size(); ++i) {
      if (job->tasks[i] == TaskState::Ended) continue;
      const auto rank = static_cast<std::int32_t>(i);
      step(TaskEnded{end.job, attempt_of(*job, rank), rank, exit});
      job = core_.jobs().find(end.job);
      if (job == nullptr || job->attempt != end.attempt) return;
    }
  }

  /// Carries out what the core has decided.
  void obey() {
    while (!commands_.empty()) {
      const Command command = std::move(commands_.front());
      commands_.pop_front();
      if (const auto* start = std::get_if<StartGang>(&command.body)) {
        begin(start->job, start->attempt);
      } else if (const auto* stop = std::get_if<StopGang>(&command.body)) {
        const Job* job = core_.jobs().find(stop->job);
        if (job == nullptr || job->attempt != stop->attempt) continue;
        end_at(saturating_add(now_, scenario_.stop(*job, Duration{0})), *job, true);
      }
    }
  }

  void begin(JobId id, std::int32_t attempt) {
    const Job* job = core_.jobs().find(id);
    if (job == nullptr || job->attempt != attempt) return;
    if (wanted_.erase(id) != 0) outcome_.started[id] = now_;
    const std::size_t tasks = job->tasks.size();
    for (std::size_t i = 0; i < tasks && job->state == JobState::Starting; ++i) {
      const auto rank = static_cast<std::int32_t>(i);
      if (job->tasks[i] == TaskState::Starting) {
        step(TaskStarted{id, attempt_of(*job, rank), rank, {}});
      }
      job = core_.jobs().find(id);
    }
    const Duration age = age_of(*job, now_);
    auto known = work_.find(id);
    if (known == work_.end()) known = work_.emplace(id, scenario_.work(*job, age)).first;
    if (!known->second) {
      outcome_.endless.insert(id);
      return;
    }
    end_at(saturating_add(now_, std::max(Duration{0}, *known->second - age)), *job, false);
  }

  void end_at(Time at, const Job& job, bool stopped) {
    ends_.push({at, ++order_, job.id, job.attempt, stopped});
  }

  void step(Event::Body body) {
    ++events_;
    const Decisions& decisions = core_.step({now_, EventSeq{++seq_}, std::move(body)});
    outcome_.work += kEventWork + core_.last_work();
    commands_.insert(commands_.end(), decisions.commands.begin(), decisions.commands.end());
  }

  Controller core_;
  std::set<JobId> wanted_;
  const Scenario& scenario_;
  Time now_;
  std::uint64_t seq_;
  std::int64_t events_ = 0;
  std::size_t arrived_ = 0;
  std::uint64_t order_ = 0;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  std::deque<Command> commands_;
  std::map<JobId, std::optional<Duration>> work_;
  FutureOutcome outcome_;
};

}  // namespace

FutureOutcome play(Controller core, const std::set<JobId>& jobs, const Scenario& scenario) {
  return Play(std::move(core), jobs, scenario).run();
}

}  // namespace gyre::control
