#include "sim/history/recording.h"

#include <algorithm>
#include <utility>

#include "domain/queue.h"
#include "sim/workload.h"

namespace gyre::sim {
namespace {

bool is_of_services(const Event& event) {
  return std::holds_alternative<ServiceApplied>(event.body) ||
         std::holds_alternative<ServiceDeleted>(event.body) ||
         std::holds_alternative<ServiceLoadSeen>(event.body) ||
         std::holds_alternative<ReplicaProbed>(event.body);
}

/// What decisions look at.
JobSpec decided_upon(const JobSpec& spec) {
  JobSpec part = spec;
  part.launch = {};
  part.launch.container.image = spec.launch.container.image;
  return part;
}

bool ran(const TaskExit& exit) {
  return exit.kind == TaskExit::Kind::Exited || exit.kind == TaskExit::Kind::Signaled;
}

}  // namespace

Result<void> Recording::take(const control::Record& record) {
  return std::visit([this](const auto& item) { return take(item); }, record);
}

Result<void> Recording::take(const Event& event) {
  const bool first = last_event == EventSeq{};
  if (!first && (event.seq <= last_event || event.at < last_at)) {
    return fail(ErrorKind::Invalid,
                "event {} at {} ns comes after event {} at {} ns: the journal is out of order",
                event.seq.value, event.at.ns, last_event.value, last_at.ns);
  }
  if (first) first_at = event.at;
  last_event = event.seq;
  last_at = event.at;
  if (since_ && event.at >= *since_) begin_window();
  if (!core_) return note(event);
  const control::Decisions& decisions = core_->step(event);
  if (auto noted = note(event); !noted) return noted;
  follow_replicas(decisions);
  return {};
}

Result<void> Recording::note(const Event& event) {
  if (const auto* submitted = std::get_if<JobSubmitted>(&event.body)) return submit(*submitted);
  if (const auto* applied = std::get_if<ServiceApplied>(&event.body); applied && !core_) {
    return fail(ErrorKind::Unsupported,
                "event {} applies service '{}': what services do under another policy depends on "
                "requests that nobody recorded; only replay without --policy takes them",
                event.seq.value, applied->spec.replica.name);
  }
  const auto known_node = [this](NodeId id, bool up) {
    return id.value < nodes.size() && cluster_.node(id).up == up;
  };
  if (const auto* joined = std::get_if<NodeJoined>(&event.body)) {
    if (joined->node.value != nodes.size() || !cluster_.add(joined->node, joined->spec)) return {};
    nodes.push_back(joined->spec);
  } else if (const auto* lost = std::get_if<NodeLost>(&event.body)) {
    if (!known_node(lost->node, true)) return {};
    lose(lost->node);
  } else if (const auto* back = std::get_if<NodeReturned>(&event.body)) {
    if (!known_node(back->node, false)) return {};
    cluster_.set_up(back->node, true);
  } else if (const auto* queue = std::get_if<QueueSet>(&event.body)) {
    set_queue(queue->queue);
  } else if (const auto* stopped = std::get_if<JobStopRequested>(&event.body)) {
    if (stopped->job.value == 0 || stopped->job.value > jobs.size()) return {};
  } else if (const auto* started = std::get_if<TaskStarted>(&event.body)) {
    task_started(*started);
    return {};
  } else if (const auto* ended = std::get_if<TaskEnded>(&event.body)) {
    task_ended(*ended);
    return {};
  } else if (std::holds_alternative<TaskStalled>(event.body)) {
    ++stalls;
    return {};
  } else if (std::holds_alternative<Tick>(event.body) ||
             std::holds_alternative<IdleSet>(event.body) ||
             std::holds_alternative<GpuUseSeen>(event.body) || is_of_services(event)) {
    return {};
  }
  events.push_back(event);
  return {};
}

void Recording::begin_window() {
  since_.reset();
  failed_starts = lost_tasks = stalls = node_failures = 0;
  lost_gpu_hours = 0;
}

Result<void> Recording::submit(const JobSubmitted& event) {
  if (event.job.value <= jobs.size()) return {};
  if (event.job.value != jobs.size() + 1) {
    return fail(ErrorKind::Unsupported,
                "ids jump from {} to {}: the jobs between were lost with the end of a journal that "
                "was cut, or are not in what was restored; only replay without --policy takes it",
                jobs.size(), event.job.value);
  }
  Job job;
  job.submitted_at = last_at;
  job.facts.spec = decided_upon(event.spec);
  jobs.push_back(std::move(job));
  attempts_.emplace_back();
  return {};
}

/// Jobs that nobody submitted are replicas; what is neither shows where its id is missing.
void Recording::follow_replicas(const control::Decisions& decisions) {
  for (std::uint64_t id = jobs.size() + 1; id <= core_->jobs().last().value; ++id) {
    const gyre::Job* made = core_->jobs().find(JobId{id});
    if (made == nullptr || made->service.empty()) break;
    Job job;
    job.submitted_at = last_at;
    job.facts.spec = decided_upon(made->spec);
    job.facts.pinned = true;
    jobs.push_back(std::move(job));
    attempts_.emplace_back();
  }
  for (const Transition& change : decisions.transitions) {
    if (change.job.value > jobs.size()) continue;
    Job& job = jobs[change.job.value - 1];
    if (change.to == JobState::Queued) job.gone_at.reset();
    if (is_final(change.to) && !job.gone_at) job.gone_at = last_at;
  }
}

/// Replicas end when they did, wherever and whenever they start.
void Recording::pin() {
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    Job& job = jobs[i];
    if (!job.facts.pinned) continue;
    const Time gone_at = job.gone_at.value_or(last_at);
    job.open = false;
    job.facts.runs = {{gone_at - job.submitted_at + seconds(1), {}}};
    events.push_back({gone_at, last_event, JobStopRequested{JobId{i + 1}}});
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.at < b.at; });
}

void Recording::set_queue(const QueueSpec& queue) {
  const auto known = std::find_if(queues.begin(), queues.end(),
                                  [&](const QueueSpec& one) { return one.name == queue.name; });
  if (known == queues.end()) {
    queues.push_back(queue);
  } else {
    *known = queue;
  }
}

Result<void> Recording::take(const Command& command) {
  if (const auto* begin = std::get_if<StartGang>(&command.body)) {
    if (begin->job.value == 0 || begin->job.value > jobs.size()) {
      return fail(ErrorKind::Invalid, "command {} starts job {}, which was not submitted",
                  command.id.value, begin->job.value);
    }
    start(*begin);
  } else if (const auto* anew = std::get_if<ReplaceTask>(&command.body)) {
    replace(*anew);
  } else if (const auto* stop = std::get_if<StopGang>(&command.body)) {
    const bool placed = placed_.contains(stop->job);
    if (placed && attempts_[stop->job.value - 1].number == stop->attempt) {
      Attempt& attempt = attempts_[stop->job.value - 1];
      attempt.told_at = last_at;
      attempt.told = stop->cause;
      Job& job = jobs[stop->job.value - 1];
      if (stop->cause != Termination::Preempted && !job.gone_at) job.gone_at = last_at;
    }
    // What its GPUs would have done later nobody knows: it is stopped then, as by a person.
    if (stop->cause == Termination::Idle) {
      events.push_back({last_at, last_event, JobStopRequested{stop->job}});
    }
  }
  return {};
}

void Recording::start(const StartGang& command) {
  Attempt attempt;
  attempt.number = command.attempt;
  attempt.numbers.assign(command.placement.size(), command.attempt);
  attempt.commanded_at = last_at;
  attempt.tasks.assign(command.placement.size(), TaskState::Starting);
  for (const TaskPlacement& task : command.placement) attempt.nodes.push_back(task.node);
  attempts_[command.job.value - 1] = std::move(attempt);
  jobs[command.job.value - 1].open = true;
  placed_.insert(command.job);
}

/// As in a simulated world: the gang goes on from what its checkpoints kept once the task runs.
void Recording::replace(const ReplaceTask& command) {
  if (!placed_.contains(command.job)) return;
  Attempt& attempt = attempts_[command.job.value - 1];
  const auto rank = static_cast<std::size_t>(command.task.rank);
  if (command.task.rank < 0 || rank >= attempt.tasks.size()) return;
  end_attempt(command.job);
  attempt.number = attempt.numbers[rank] = command.attempt;
  attempt.nodes[rank] = command.task.node;
  attempt.tasks[rank] = TaskState::Starting;
  attempt.commanded_at = last_at;
  attempt.running_at.reset();
  attempt.broken_at.reset();
  attempt.exit = {};
}

Recording::Attempt* Recording::attempt_of(JobId id, std::int32_t number, std::int32_t rank) {
  if (!placed_.contains(id)) return nullptr;
  Attempt& attempt = attempts_[id.value - 1];
  const bool known = rank >= 0 && static_cast<std::size_t>(rank) < attempt.tasks.size();
  return known && attempt.numbers[static_cast<std::size_t>(rank)] == number ? &attempt : nullptr;
}

void Recording::task_started(const TaskStarted& event) {
  Attempt* attempt = attempt_of(event.job, event.attempt, event.rank);
  if (attempt == nullptr) return;
  TaskState& task = attempt->tasks[static_cast<std::size_t>(event.rank)];
  if (task != TaskState::Starting) return;
  task = TaskState::Running;
  const bool all = std::find(attempt->tasks.begin(), attempt->tasks.end(), TaskState::Starting) ==
                   attempt->tasks.end();
  if (all && !attempt->running_at) attempt->running_at = last_at;
}

void Recording::task_ended(const TaskEnded& event) {
  if (attempt_of(event.job, event.attempt, event.rank) == nullptr) return;
  if (ran(event.exit)) task_started({event.job, event.attempt, event.rank, {}});
  if (event.exit.kind == TaskExit::Kind::StartFailed && !event.exit.stopped) ++failed_starts;
  if (event.exit.kind == TaskExit::Kind::Lost) ++lost_tasks;
  end_task(event.job, static_cast<std::size_t>(event.rank), event.exit);
}

void Recording::lose(NodeId node) {
  cluster_.set_up(node, false);
  ++node_failures;
  const std::vector<JobId> placed(placed_.begin(), placed_.end());
  for (const JobId id : placed) {
    const std::vector<NodeId>& on = attempts_[id.value - 1].nodes;
    const auto here = std::find(on.begin(), on.end(), node);
    if (here == on.end()) continue;
    end_task(id, static_cast<std::size_t>(here - on.begin()), {TaskExit::Kind::Lost, 0, false, {}});
  }
}

void Recording::end_task(JobId id, std::size_t rank, const TaskExit& exit) {
  Attempt& attempt = attempts_[id.value - 1];
  if (attempt.tasks[rank] == TaskState::Ended) return;
  attempt.tasks[rank] = TaskState::Ended;
  if (attempt.exit.ok()) attempt.exit = exit;
  if (exit.kind == TaskExit::Kind::Lost && !attempt.broken_at) attempt.broken_at = last_at;
  const bool over = std::all_of(attempt.tasks.begin(), attempt.tasks.end(),
                                [](TaskState task) { return task == TaskState::Ended; });
  if (!over) return;
  end_attempt(id);
  placed_.erase(id);
}

void Recording::end_attempt(JobId id) {
  Job& job = jobs[id.value - 1];
  const Attempt& attempt = attempts_[id.value - 1];
  const Time running_at = attempt.running_at.value_or(last_at);
  const Duration latency = attempt.running_at ? running_at - attempt.commanded_at : kNeverWhole;
  job.facts.start_latencies.push_back(latency);
  if (attempt.running_at) start_latencies.push_back(latency);
  if (job.facts.pinned) return;
  if (ran(attempt.exit) && !attempt.exit.stopped) {
    job.facts.runs.push_back({job.kept + (last_at - running_at), attempt.exit});
    runs_ended.emplace_back(id.value - 1, job.facts.runs.back().work);
    job.kept = job.at_least = Duration{0};
    job.open = false;
    return;
  }
  if (attempt.told_at) stop_latencies.push_back(last_at - *attempt.told_at);
  const Time worked_until =
      std::min({last_at, attempt.told_at.value_or(last_at), attempt.broken_at.value_or(last_at)});
  const Duration spent = std::max(Duration{0}, worked_until - running_at);
  const Duration done = job.kept + spent;
  const Duration interval = job.facts.spec->checkpoint.interval.value_or(Duration{0});
  if (interval.ns <= 0) {
    job.kept = Duration{0};
  } else if (attempt.told == Termination::Preempted) {
    job.kept = done;  // it was asked to save first
  } else {
    job.kept = job.kept + interval * (spent.ns / interval.ns);
  }
  job.at_least = std::max(job.at_least, done);
  if (validate(job.facts.spec)) lost_gpu_hours += gpu_hours(job.facts.spec->tasks, done - job.kept);
}

void Recording::finish() {
  for (const JobId id : placed_) {
    const Attempt& attempt = attempts_[id.value - 1];
    if (!attempt.running_at) continue;
    Job& job = jobs[id.value - 1];
    job.facts.start_latencies.push_back(*attempt.running_at - attempt.commanded_at);
    job.at_least = std::max(job.at_least, job.kept + (last_at - *attempt.running_at));
  }
  if (core_) pin();
}

}  // namespace gyre::sim
