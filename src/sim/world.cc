#include "sim/world.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "base/assert.h"
#include "sim/traces/table.h"

namespace gyre::sim {
namespace {

/// Nothing that would happen later is waited for; far from the end of Time, so sums never overflow.
constexpr Time kHorizon{Time{} + kSpanMax + kSpanMax / 2};
constexpr std::int32_t kRetriesMax = 1'000'000;
constexpr NodeId kNowhere{0xffffffff};

}  // namespace

World::World(Inputs inputs)
    : inputs_(std::move(inputs)),
      node_up_(inputs_.fleet.nodes.size(), 1),
      progress_(inputs_.trace.jobs.size()) {}

// --- events, in the order of time

std::optional<Event> World::next(std::optional<Time> deadline) {
  if (auto event = introduction()) return event;
  if (auto event = next_of_burst()) return event;
  if (inputs_.failures.is_spent()) return std::nullopt;
  const bool arrivals_left = arrived_ < inputs_.trace.jobs.size();
  const Time arrives_at = arrivals_left ? inputs_.trace.jobs[arrived_].submit : Time::max();
  const Time timer_at = timers_.empty() ? Time::max() : timers_.top().at;
  const std::optional<NodeChange> node = next_change();
  const Time node_at = node ? std::max(node->at, now_) : Time::max();
  const Time script_at = next_script_time();
  const Time first = std::min({arrives_at, timer_at, node_at, script_at});
  if (deadline && (*deadline < first || first > kHorizon)) {
    now_ = std::max(now_, *deadline);
    return stamp(Tick{});
  }
  if (first > kHorizon) return std::nullopt;
  now_ = first;
  if (timer_at == first) {
    begin_burst();
    return next_of_burst();
  }
  if (script_at == first) return next_of_script();
  return node_at == first ? change(*node) : arrival();
}

bool World::has_pending() const {
  if (bursts() || introduced_ < introductions() || next_script_time() == now_) return true;
  if (!timers_.empty() && timers_.top().at == now_) return true;
  return arrived_ < inputs_.trace.jobs.size() && inputs_.trace.jobs[arrived_].submit == now_;
}

std::size_t World::introductions() const {
  if (inputs_.script != nullptr) return 1;
  return 1 + inputs_.workload.all_queues.size() + inputs_.fleet.nodes.size();
}

/// The policy, the queues and the nodes, which come before all else.
std::optional<Event> World::introduction() {
  if (introduced_ >= introductions()) return std::nullopt;
  std::size_t index = introduced_;
  if (index == 0) return ++introduced_, stamp(PolicySet{inputs_.policy});
  if (--index < inputs_.workload.all_queues.size()) {
    return ++introduced_, stamp(QueueSet{inputs_.workload.all_queues[index]});
  }
  index -= inputs_.workload.all_queues.size();
  ++introduced_;
  return stamp(NodeJoined{NodeId{static_cast<std::uint32_t>(index)}, inputs_.fleet.nodes[index]});
}

std::optional<Event> World::arrival() {
  const std::size_t index = arrived_++;
  ++jobs_open_;
  return stamp(JobSubmitted{JobId{index + 1}, spec_of(index), {}});
}

Shared<JobSpec> World::spec_of(std::size_t index) const {
  if (inputs_.script != nullptr) return inputs_.script->jobs[index].spec;
  const TraceJob& job = inputs_.trace.jobs[index];
  JobSpec spec;
  spec.name = inputs_.trace.names[job.row];
  spec.tenant = inputs_.trace.users[job.user];
  spec.queue = inputs_.trace.queues[job.queue];
  spec.priority = job.priority;
  spec.preemptible = job.preemptible || inputs_.execution.all_preemptible;
  spec.tasks = inputs_.workload.gangs[inputs_.workload.gang_of[index]];
  spec.topology = inputs_.trace.demands[job.demand].topology;
  spec.placement = inputs_.trace.demands[job.demand].placement;
  if (job.declared < kEndless) spec.expected_duration = job.declared;
  const Duration interval = checkpoint_interval(job);
  if (interval.ns > 0) {
    spec.checkpoint.interval = interval;
    spec.checkpoint.signal = SIGUSR1;
  }
  spec.retry.retries_max = kRetriesMax;
  return spec;
}

std::optional<NodeChange> World::next_change() {
  const bool arrivals_left = arrived_ < inputs_.trace.jobs.size();
  if (!arrivals_left && jobs_open_ == 0) return std::nullopt;
  return inputs_.failures.peek(now_, arrivals_left || !timers_.empty());
}

std::optional<Event> World::change(const NodeChange& change) {
  inputs_.failures.pop(change);
  node_up_[change.node] = change.up ? 1 : 0;
  const NodeId node{change.node};
  if (change.up) return stamp(NodeReturned{node});
  lose(node);
  return stamp(NodeLost{node, "simulated failure"});
}

Time World::next_script_time() const {
  if (inputs_.script == nullptr || scripted_ >= inputs_.script->events.size()) return Time::max();
  return inputs_.script->events[scripted_].at;
}

std::optional<Event> World::next_of_script() {
  const Event::Body& body = inputs_.script->events[scripted_++].body;
  if (const auto* lost = std::get_if<NodeLost>(&body)) {
    node_up_[lost->node.value] = 0;
    lose(lost->node);
  } else if (const auto* back = std::get_if<NodeReturned>(&body)) {
    node_up_[back->node.value] = 1;
  }
  return stamp(body);
}

/// Whatever runs there is gone.
void World::lose(NodeId node) {
  ++node_failures_;
  for (Gang& gang : gangs_) {
    if (!gang.in_use) continue;
    const auto on_it = std::find(gang.nodes.begin(), gang.nodes.end(), node);
    if (on_it == gang.nodes.end()) continue;
    const auto rank = static_cast<std::size_t>(on_it - gang.nodes.begin());
    if (gang.alive[rank] != 0) break_gang(gang, rank);
  }
}

// --- the tasks of one gang, one after the other

void World::begin_burst() {
  const Timer timer = timers_.top();
  Gang& gang = gangs_[timer.gang];
  cancel_timer(gang);
  burst_ = Burst{timer.gang, gang.generation, 0, timer.ends};
  if (timer.ends) return;
  gang.phase = Phase::Running;
  gang.started_at = now_;
  const Duration work = work_of(gang);
  if (work == kEndless) return;
  const Duration left = work - progress_[gang.job.value - 1].done + overhead(gang);
  gang.ends_at = saturating_add(now_, left);
  add_timer(gang.ends_at, gang, true);
  burst_->generation = gang.generation;
}

/// The next task of the burst; nullopt when there is none, or when the burst was overtaken by a
/// stop.
std::optional<Event> World::next_of_burst() {
  if (!bursts()) return std::nullopt;
  const Burst burst = *burst_;
  Gang& gang = gangs_[burst.gang];
  const std::size_t rank = next_due(gang, burst, burst.rank);
  const bool last = next_due(gang, burst, rank + 1) == gang.alive.size();
  burst_->rank = rank + 1;
  if (last) burst_.reset();
  const auto rank_id = static_cast<std::int32_t>(rank);
  if (!burst.ends) {
    gang.told[rank] = 1;
    return stamp(TaskStarted{gang.job, gang.attempts[rank], rank_id});
  }
  gang.alive[rank] = 0;
  auto event = task_ended(gang, rank_id);
  if (last && !gang.stopped && inputs_.script != nullptr) {  // its next run begins anew
    Progress& progress = progress_[gang.job.value - 1];
    ++progress.run;
    progress.done = Duration{0};
  }
  if (last) release(gang);
  return event;
}

/// The first rank from there on that the burst is about; past the last one for none.
std::size_t World::next_due(const Gang& gang, const Burst& burst, std::size_t from) {
  while (from < gang.alive.size() &&
         (gang.alive[from] == 0 || (!burst.ends && gang.told[from] != 0))) {
    ++from;
  }
  return from;
}

/// Whether a task of the burst is still to come. Gangs always have one when their burst begins.
bool World::bursts() const {
  return burst_ && gangs_[burst_->gang].generation == burst_->generation;
}

std::optional<Event> World::task_ended(const Gang& gang, std::int32_t rank) {
  TaskEnded ended{gang.job, gang.attempts[static_cast<std::size_t>(rank)], rank, {}};
  if (gang.stopped) {
    const bool ran = gang.started_at.ns >= 0;
    ended.exit.kind = ran ? TaskExit::Kind::Signaled : TaskExit::Kind::StartFailed;
    ended.exit.code = ran ? SIGTERM : 0;
    ended.exit.stopped = true;
  } else if (const Script::Run* run = run_of(gang)) {
    ended.exit = run->exit;
  }
  return stamp(std::move(ended));
}

// --- commands

void World::submit(const Command& command) {
  if (const auto* to_start = std::get_if<StartGang>(&command.body)) return start(*to_start);
  if (const auto* anew = std::get_if<ReplaceTask>(&command.body)) return replace(*anew);
  if (const auto* to_stop = std::get_if<StopGang>(&command.body)) stop(*to_stop);
}

void World::start(const StartGang& command) {
  Progress& progress = progress_[command.job.value - 1];
  if (command.attempt <= progress.attempt) return;  // seen before
  GYRE_ASSERT(progress.gang == kNoGang);
  Gang& gang = add_gang(command.job, progress);
  progress.attempt = gang.attempt = command.attempt;
  for (const TaskPlacement& task : command.placement) add_task(task, gang);
  begin_if_whole(gang);
}

/// The others have waited for it since the loss.
void World::replace(const ReplaceTask& command) {
  Progress& progress = progress_[command.job.value - 1];
  if (command.attempt <= progress.attempt) return;  // seen before
  if (progress.gang == kNoGang) {                   // the others were lost meanwhile
    Gang& fresh = add_gang(command.job, progress);
    const auto& tasks = inputs_.workload.gangs[inputs_.workload.gang_of[command.job.value - 1]];
    const auto count = static_cast<std::size_t>(task_count(tasks));
    fresh.nodes.assign(count, kNowhere);
    fresh.attempts.assign(count, command.attempt);
    fresh.alive.assign(count, 0);
    fresh.told.assign(count, 0);
  }
  Gang& gang = gangs_[progress.gang];
  progress.attempt = gang.attempt = command.attempt;
  const auto rank = static_cast<std::size_t>(command.task.rank);
  gang.nodes[rank] = command.task.node;
  gang.attempts[rank] = command.attempt;
  gang.alive[rank] = node_up_[command.task.node.value];
  gang.told[rank] = 0;
  begin_if_whole(gang);
}

World::Gang& World::add_gang(JobId job, Progress& progress) {
  if (unused_gangs_.empty()) {
    unused_gangs_.push_back(static_cast<std::uint32_t>(gangs_.size()));
    gangs_.emplace_back();
  }
  progress.gang = unused_gangs_.back();
  unused_gangs_.pop_back();
  Gang& gang = gangs_[progress.gang];
  gang.job = job;
  gang.in_use = true;
  gang.stopped = false;
  gang.asked_to_stop = false;
  gang.started_at = Time{-1};
  gang.ends_at = Time::max();
  gang.nodes.clear();
  gang.attempts.clear();
  gang.alive.clear();
  gang.told.clear();
  return gang;
}

/// A node that is down by now was lost after the decision; the core knows of it.
void World::add_task(const TaskPlacement& task, Gang& gang) {
  gang.nodes.push_back(task.node);
  gang.attempts.push_back(gang.attempt);
  gang.alive.push_back(node_up_[task.node.value]);
  gang.told.push_back(0);
}

void World::begin_if_whole(Gang& gang) {
  const bool whole = std::find(gang.alive.begin(), gang.alive.end(), 0) == gang.alive.end();
  gang.phase = whole ? Phase::Starting : Phase::Broken;
  if (whole) return add_timer(now_ + start_latency(gang), gang, false);
  if (std::find(gang.alive.begin(), gang.alive.end(), 1) == gang.alive.end()) release(gang);
}

void World::stop(const StopGang& command) {
  const Progress& progress = progress_[command.job.value - 1];
  if (progress.gang == kNoGang || progress.attempt != command.attempt) return;
  Gang& gang = gangs_[progress.gang];
  if (gang.phase == Phase::Stopping) return;
  const Duration latency = std::min(inputs_.execution.stop_latency, command.grace);
  const Time ends_at = now_ + latency;
  if (gang.phase == Phase::Running && gang.ends_at <= ends_at) {  // it is done before that
    gang.asked_to_stop = true;
    return;
  }
  const TraceJob& job = job_of(gang);
  const bool asked_first =
      command.cause == Termination::Preempted && checkpoint_interval(job).ns > 0;
  if (gang.phase == Phase::Running) settle(gang, asked_first);
  cancel_timer(gang);
  gang.phase = Phase::Stopping;
  gang.stopped = true;
  add_timer(ends_at, gang, true);
}

/// One task is gone with its node: the others make no progress any more.
void World::break_gang(Gang& gang, std::size_t rank) {
  gang.alive[rank] = 0;
  if (gang.phase == Phase::Running) settle(gang, false);
  if (gang.asked_to_stop) {
    gang.phase = Phase::Stopping;  // nobody asks again: the others end when they were to end
    gang.stopped = true;
  }
  if (gang.phase != Phase::Stopping) {
    cancel_timer(gang);
    gang.phase = Phase::Broken;
  }
  if (std::find(gang.alive.begin(), gang.alive.end(), 1) == gang.alive.end()) {
    cancel_timer(gang);
    release(gang);
  }
}

/// Books what the attempt has done so far as kept or lost. Requires: it runs.
void World::settle(const Gang& gang, bool saves_all) {
  const TraceJob& job = job_of(gang);
  Progress& progress = progress_[gang.job.value - 1];
  const Duration spent = now_ - gang.started_at;
  const Duration worked = std::max(Duration{0}, spent - overhead(gang));
  const Duration interval = checkpoint_interval(job);
  const Duration before = progress.done;
  if (saves_all) {
    progress.done = before + worked;
  } else if (interval.ns > 0) {
    progress.done = before + interval * (worked.ns / interval.ns);
  } else {
    progress.done = Duration{0};
  }
  const Duration lost = before + spent - progress.done;
  const auto& tasks = inputs_.workload.gangs[inputs_.workload.gang_of[gang.job.value - 1]];
  lost_gpu_hours_ += gpu_hours(tasks, lost);
}

void World::release(Gang& gang) {
  const std::uint32_t index = index_of(gang);
  progress_[gang.job.value - 1].gang = kNoGang;
  gang.in_use = false;
  ++gang.generation;
  unused_gangs_.push_back(index);
}

// --- timers

void World::add_timer(Time at, const Gang& gang, bool ends) {
  if (at > kHorizon) return;
  timers_.push({at, ++timer_order_, index_of(gang), gang.generation, ends});
}

void World::cancel_timer(Gang& gang) {
  ++gang.generation;
  while (!timers_.empty() && timers_.top().generation != gangs_[timers_.top().gang].generation) {
    timers_.pop();
  }
}

std::uint32_t World::index_of(const Gang& gang) const {
  return static_cast<std::uint32_t>(&gang - gangs_.data());
}

const Script::Run* World::run_of(const Gang& gang) const {
  if (inputs_.script == nullptr) return nullptr;
  const auto& runs = inputs_.script->jobs[gang.job.value - 1].runs;
  return &runs[std::min(progress_[gang.job.value - 1].run, runs.size() - 1)];
}

Duration World::work_of(const Gang& gang) const {
  const Script::Run* run = run_of(gang);
  return run == nullptr ? job_of(gang).duration : run->work;
}

Duration World::start_latency(const Gang& gang) const {
  if (inputs_.script == nullptr) return inputs_.execution.start_latency;
  const auto& known = inputs_.script->jobs[gang.job.value - 1].start_latencies;
  if (known.empty()) return inputs_.execution.start_latency;
  return known[std::min(static_cast<std::size_t>(gang.attempt), known.size()) - 1];
}

Duration World::checkpoint_interval(const TraceJob& job) const {
  if (job.checkpoint_interval.ns > 0) return job.checkpoint_interval;
  return inputs_.execution.checkpoint_interval.value_or(Duration{0});
}

Duration World::overhead(const Gang& gang) const {
  if (gang.attempt <= 1) return Duration{0};
  const Duration constant = inputs_.execution.restart_overhead;
  if (!inputs_.execution.restart_by_size) return constant;
  const std::int32_t gpus =
      gpu_total(inputs_.workload.gangs[inputs_.workload.gang_of[gang.job.value - 1]]).value / 1000;
  return constant + (gpus <= 1 ? seconds(7) : gpus <= 8 ? seconds(30) : seconds(60));
}

}  // namespace gyre::sim
