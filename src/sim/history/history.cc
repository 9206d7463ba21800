#include "sim/history/history.h"

#include <algorithm>
#include <map>
#include <utility>

#include "control/forecast/run_time_lessons.h"
#include "sim/history/recording.h"
#include "sim/traces/table.h"

namespace gyre::sim {
namespace {

Duration median(std::vector<Duration>& spans) {
  if (spans.empty()) return {};
  const auto middle = spans.begin() + static_cast<std::ptrdiff_t>(spans.size() / 2);
  std::nth_element(spans.begin(), middle, spans.end());
  return *middle;
}

bool is_too_long(Time begin, Time end) { return end.ns / 2 - begin.ns / 2 > kSpanMax.ns / 2; }

/// As much of a recorded job as says how long jobs like it take.
Job as_job(const Recording::Job& recorded, std::size_t index) {
  Job job;
  job.id = JobId{index + 1};
  job.spec = recorded.facts.spec;
  job.submitted_at = recorded.submitted_at;
  return job;
}

/// What those that ended teach about those that did not.
control::RunTimeLessons lessons_of(const Recording& recording) {
  const std::vector<Recording::Job>& jobs = recording.jobs;
  control::RunTimeLessons lessons;
  for (const auto& [index, work] : recording.runs_ended)
    lessons.learn(as_job(jobs[index], index), work);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (jobs[i].open) lessons.expect(as_job(jobs[i], i), jobs.back().submitted_at);
  }
  return lessons;
}

/// Gives every run an end and every start a latency.
void complete(History& history, Recording& recording) {
  using Guess = History::Guess;
  std::vector<Recording::Job>& jobs = recording.jobs;
  history.guesses.assign(jobs.size(), Guess::None);
  const control::RunTimeLessons lessons = lessons_of(recording);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    Recording::Job& job = jobs[i];
    std::replace(job.facts.start_latencies.begin(), job.facts.start_latencies.end(),
                 Recording::kNeverWhole, history.execution.start_latency);
    if (!job.open) continue;
    // Told to stop at the same time as then, it must not be done before it is stopped.
    const Duration least = job.at_least + history.execution.stop_latency + seconds(1);
    const auto& declared = job.facts.spec->expected_duration;
    const bool is_declared = declared && *declared > job.at_least;
    const Duration guess =
        is_declared ? *declared : lessons.quantile(as_job(job, i), job.at_least, 0.5);
    history.guesses[i] = is_declared ? Guess::Declared : Guess::Learned;
    job.facts.runs.push_back({std::clamp(guess, least, std::max(least, kSpanMax)), {}});
  }
}

/// The index of `name` in `names`, where it is added if it is new.
std::uint32_t intern(const std::string& name, std::vector<std::string>& names,
                     std::map<std::string, std::uint32_t>& known) {
  const auto [found, is_new] = known.try_emplace(name, static_cast<std::uint32_t>(names.size()));
  if (is_new) names.push_back(name);
  return found->second;
}

void fill_trace(Trace& trace, Workload& workload, const std::vector<Recording::Job>& jobs,
                Time begin) {
  std::map<std::string, std::uint32_t> queues;
  std::map<std::string, std::uint32_t> users;
  std::map<std::vector<TaskGroup>, std::uint32_t> gangs;
  for (const Recording::Job& recorded : jobs) {
    const JobSpec& spec = recorded.facts.spec;
    TraceJob job;
    job.submit = Time{} + (recorded.submitted_at - begin);
    for (const Script::Run& run : recorded.facts.runs) job.duration = job.duration + run.work;
    job.checkpoint_interval = spec.checkpoint.interval.value_or(Duration{0});
    job.row = static_cast<std::uint32_t>(trace.jobs.size());
    job.queue = intern(spec.queue, trace.queues, queues);
    job.user = intern(spec.tenant, trace.users, users);
    trace.jobs.push_back(job);
    trace.names.push_back(std::to_string(trace.jobs.size()));
    const auto tasks = validate(spec) ? spec.tasks : std::vector<TaskGroup>{};
    const auto [gang, is_new] =
        gangs.try_emplace(tasks, static_cast<std::uint32_t>(workload.gangs.size()));
    if (is_new) workload.gangs.push_back(tasks);
    workload.gang_of.push_back(gang->second);
  }
}

void fill_queues(Workload& workload, const Trace& trace, std::vector<QueueSpec> queues) {
  for (const std::string& name : trace.queues) {
    const auto known = std::find_if(queues.begin(), queues.end(),
                                    [&](const QueueSpec& queue) { return queue.name == name; });
    workload.queues.push_back(known == queues.end() ? QueueSpec{name, {}} : *known);
  }
  workload.all_queues = std::move(queues);
}

/// All but what the policy was at the beginning, which the world tells by itself.
void fill_events(History& history, std::vector<Event>& events) {
  for (Event& event : events) {
    event.at = std::max(Time{}, Time{} + (event.at - history.begins_at));
    if (const auto* set = std::get_if<PolicySet>(&event.body)) {
      if (event.at == Time{}) {
        history.policy = set->policy;
        continue;
      }
    }
    history.setting.script->events.push_back(std::move(event));
  }
}

}  // namespace

PolicySpec History::policy_at(Time time) const {
  PolicySpec live = policy;
  for (const Event& event : setting.script->events) {
    if (event.at > time) break;
    if (const auto* set = std::get_if<PolicySet>(&event.body)) live = set->policy;
  }
  return live;
}

bool History::policy_changes(Time from) const {
  return std::any_of(setting.script->events.begin(), setting.script->events.end(),
                     [from](const Event& event) {
                       return event.at >= from && std::holds_alternative<PolicySet>(event.body);
                     });
}

void History::change_policy(const PolicySpec& to, Time from) {
  std::vector<Event>& events = setting.script->events;
  std::erase_if(events, [from](const Event& event) {
    const bool stays = event.at > Time{} && event.at < from;
    return std::holds_alternative<PolicySet>(event.body) && !stays;
  });
  if (from == Time{}) return;
  events.insert(events.begin(), Event{Time{}, EventSeq{}, PolicySet{policy}});
  const auto later = std::find_if(events.begin(), events.end(),
                                  [from](const Event& event) { return event.at >= from; });
  events.insert(later, Event{from, EventSeq{}, PolicySet{to}});
}

Result<History> read_history(control::JournalReader& journal, std::string name,
                             std::optional<Time> since, bool services) {
  const auto refuse = [&](const Error& error) {
    return fail(error.kind, "{}: {}", name, error.message);
  };
  Recording recording(since, services);
  while (true) {
    const auto record = journal.next();
    if (!record) return tl::unexpected(record.error());
    if (!*record) break;
    if (auto taken = recording.take(**record); !taken) return refuse(taken.error());
  }
  recording.finish();
  if (is_too_long(recording.first_at, recording.last_at)) {
    return refuse({ErrorKind::Invalid, "its times span more than 100 years"});
  }
  if (recording.jobs.empty()) {
    return refuse({ErrorKind::NotFound,
                   "no job was ever submitted: there is nothing to try another policy on"});
  }
  History history{{{}, {}, {}, FailureModel::none(), Script{}}, {}, named_policies().back()};
  history.last_event = recording.last_event;
  history.begins_at = recording.jobs.front().submitted_at;
  history.ends_at = recording.last_at;
  history.execution.start_latency = median(recording.start_latencies);
  history.execution.stop_latency = median(recording.stop_latencies);
  history.runs_ended = recording.runs_ended.size();
  history.replicas = static_cast<std::uint64_t>(
      std::count_if(recording.jobs.begin(), recording.jobs.end(),
                    [](const Recording::Job& job) { return job.facts.pinned; }));
  history.failed_starts = recording.failed_starts;
  history.lost_tasks = recording.lost_tasks;
  history.stalls = recording.stalls;
  history.node_failures = recording.node_failures;
  history.lost_gpu_hours = recording.lost_gpu_hours;
  fill_events(history, recording.events);
  complete(history, recording);
  Setting& setting = history.setting;
  setting.trace.name = std::move(name);
  setting.trace.format = "journal";
  fill_trace(setting.trace, setting.workload, recording.jobs, history.begins_at);
  fill_queues(setting.workload, setting.trace, std::move(recording.queues));
  setting.fleet.nodes = std::move(recording.nodes);
  for (Recording::Job& job : recording.jobs) {
    setting.script->jobs.push_back(std::move(job.facts));
  }
  return history;
}

}  // namespace gyre::sim
