#include "control/controller.h"

#include <algorithm>

#include "base/assert.h"
#include "domain/task_exit_words.h"

namespace gyre::control {

using enum JobState;

namespace {

/// Nothing went wrong: somebody wants it to end.
bool is_wish(Termination cause) {
  return cause == Termination::UserRequest || cause == Termination::Retired;
}

}  // namespace

/// Carries the scheduler's decisions out, as it makes them.
class Controller::Act final : public reason::Actions {
 public:
  explicit Act(Controller& core) : core_(core) {}
  void start(JobId job, std::vector<TaskPlacement> placement, StartRule rule) override {
    core_.place(job, std::move(placement), rule);
  }
  void evict(JobId victim, JobId beneficiary) override { core_.preempt(victim, beneficiary); }

 private:
  Controller& core_;
};

Controller::Controller(const Config& config) : config_(config) {}

void Controller::on(const WorkBudgetSet& event) {
  if (event.work > 0) config_.cycle_work_max = event.work;
}

const Decisions& Controller::step(const Event& event) {
  GYRE_ASSERT(event.at >= now_ && event.seq > seq_);
  now_ = event.at;
  seq_ = event.seq;
  decisions_.commands.clear();
  decisions_.transitions.clear();
  fire_timers();
  std::visit([this](const auto& body) { on(body); }, event.body);
  if (!healer_.to_repair().empty()) repair_nodes();
  work_on_services();
  Act act(*this);
  last_work_ = scheduler_.cycle(scene(), config_.cycle_work_max, act);
  prefetch_images();
  forget_oldest();
  return decisions_;
}

std::optional<Time> Controller::next_wakeup() const {
  if (has_leftover()) return now_;
  std::optional<Time> first = scheduler_.next_wakeup(now_);
  if (const auto due = healer_.next_wakeup()) {
    first = std::min(std::max(now_, *due), first.value_or(Time::max()));
  }
  if (const auto due = services_.next_wakeup()) {
    first = std::min(std::max(now_, *due), first.value_or(Time::max()));
  }
  if (!timers_.empty()) {
    const Time timer = std::max(now_, timers_.begin()->first);
    first = std::min(timer, first.value_or(timer));
  }
  return first;
}

// --- events
// ---------------------------------------------------------------------------------------

void Controller::on(const PolicySet& event) {
  if (!validate(event.policy)) return;
  scheduler_.set_policy(event.policy, scene());
  for (const auto& [at, id] : timers_) {  // who is held back is in no line
    const Job* job = jobs_.find(id);
    if (job != nullptr && job->state == Queued) scheduler_.job_held(*job);
  }
  if (!scheduler_.learns()) {
    demand_mix_ = {};
  } else if (demand_mix_ == DemandMix{}) {
    jobs_.for_each([this](const Job& job) { learn(job.spec); });
  }
  scheduler_.learn(demand_mix_.published);
}

void Controller::on(const QueueSet& event) {
  QueueSpec queue = event.queue;
  if (!validate(queue)) return;
  const auto known = std::find_if(queues_.begin(), queues_.end(),
                                  [&](const QueueSpec& one) { return one.name == queue.name; });
  if (known != queues_.end()) {
    // Neither its partition nor its parent ever changes.
    queue.partition = known->partition;
    queue.parent = known->parent;
    *known = queue;
  } else {
    const auto parent = queue_partitions_.find(queue.parent);
    const bool has_parent = !queue.parent.empty();
    if (has_parent && parent == queue_partitions_.end()) return;
    const PartitionId partition = cluster_.partition(queue.partition);
    if (has_parent && parent->second != partition) return;
    queue_partitions_.emplace(queue.name, partition);
    queues_.push_back(queue);
  }
  scheduler_.set_queue(queue, queue_partitions_.at(queue.name), scene());
}

void Controller::on(const NodeJoined& event) {
  if (event.node.value != cluster_.nodes().size()) return;
  if (!cluster_.add(event.node, event.spec)) return;
  healer_.node_joined();
  scheduler_.fleet_joined(event.node, event.spec, scene());
  look_at_services([](const Service&) { return true; });
  heal(healer_.reconsider(now_));  // of a larger fleet more may be taken out
}

void Controller::on(const NodeLost& event) {
  if (event.node.value >= cluster_.nodes().size() || !cluster_.node(event.node).up) return;
  change_node(event.node, [this](NodeId id) {
    cluster_.set_up(id, false);
    cluster_.set_silent(id, false);
  });
  images_.forget(event.node);  // when it is back it says what it holds
  prefetcher_.forget(event.node);
  reservations_looked_at_ = 0;
  const ShapeId shape = cluster_.node(event.node).shape;
  const std::vector<JobId> placed = scheduler_.placed(cluster_.shape(shape).partition);
  const TaskExit exit{TaskExit::Kind::Lost, 0, false, event.cause};
  for (const JobId id : placed) {
    Job& job = *jobs_.find(id);
    for (std::size_t i = 0; i < job.placement.size(); ++i) {
      if (job.placement[i].node != event.node || job.tasks[i] == TaskState::Ended) continue;
      end_task(job, job.placement[i].rank, exit);
      break;  // tasks of one job are on different nodes
    }
  }
  if (!healer_.reboots(event.node)) see(event.node, {Symptom::NodeLost, event.cause, 0});
}

void Controller::on(const NodeReturned& event) {
  if (event.node.value >= cluster_.nodes().size() || cluster_.node(event.node).up) return;
  change_node(event.node, [this](NodeId id) { cluster_.set_up(id, true); });
  reservations_looked_at_ = 0;
  healer_.node_back(event.node, now_);
  heal(healer_.reconsider(now_));
}

void Controller::on(const NodeDutySet& event) {
  if (event.node.value >= cluster_.nodes().size()) return;
  change_node(event.node, [&](NodeId id) { cluster_.set_duty(id, event.duty); });
  if (event.duty == NodeDuty::Draining) drain(event.node);
  if (event.duty == NodeDuty::Open) put_back(event.node);
}

void Controller::on(const NodeContact& event) {
  if (event.node.value >= cluster_.nodes().size() || !cluster_.node(event.node).up) return;
  change_node(event.node, [&](NodeId id) { cluster_.set_silent(id, event.silent); });
}

/// What may be preempted leaves the node and queues again.
void Controller::drain(NodeId id, std::uint64_t incident) {
  const ShapeId shape = cluster_.node(id).shape;
  const std::vector<JobId> placed = scheduler_.placed(cluster_.shape(shape).partition);
  for (const JobId job_id : placed) {
    const Job& job = *jobs_.find(job_id);
    const bool here = std::any_of(job.placement.begin(), job.placement.end(),
                                  [id](const TaskPlacement& task) { return task.node == id; });
    if (here && job.spec->preemptible && is_legal_transition(job.state, Preempting)) {
      if (incident != 0) healer_.moves(incident, job_id, keeping_of(job.spec->checkpoint));
      preempt(job_id, {});
    }
  }
}

void Controller::on(const JobSubmitted& event) {
  if (event.job <= jobs_.last()) return;
  Job fresh;
  fresh.id = event.job;
  fresh.spec = event.spec;
  fresh.submission_key = event.submission_key;
  submit(std::move(fresh));
}

void Controller::submit(Job&& fresh) {
  fresh.submitted_at = now_;
  fresh.state_since = now_;
  Job& job = jobs_.add(std::move(fresh));
  join_group(job.spec);
  count_container(job, 1);
  decisions_.transitions.push_back({now_, job.id, 0, Queued, Queued, Termination::None});
  const auto partition = partition_of(job.spec);
  if (!partition || !validate(job.spec) || !scheduler_.fair_share().is_leaf(job.spec->queue)) {
    return end(job, Failed, Termination::Misconfigured);
  }
  job.batch = scheduler_.batch_for(job.spec, job.id, now_);
  if (!scheduler_.enqueue(job, *partition, scene())) {
    return end(job, Failed, Termination::NeverFits);
  }
  if (scheduler_.learns()) learn(job.spec);
  if (job.spec->deadline) timers_.emplace(saturating_add(now_, *job.spec->deadline), job.id);
}

void Controller::on(const JobStopRequested& event) {
  Job* job = jobs_.find(event.job);
  if (job == nullptr || is_final(job->state)) return;
  stop(*job, Termination::UserRequest);
}

void Controller::on(const TaskStarted& event) {
  const Job* job = jobs_.find(event.job);
  const bool starting = job != nullptr && job->state == Starting;
  take_start(event);
  if (starting && job->state == Running) book_start(*job);
}

void Controller::take_start(const TaskStarted& event) {
  Job* job = jobs_.find(event.job);
  if (job == nullptr || attempt_of(*job, event.rank) != event.attempt) return;
  const auto rank = static_cast<std::size_t>(event.rank);
  if (rank >= job->tasks.size() || job->tasks[rank] != TaskState::Starting) return;
  job->tasks[rank] = TaskState::Running;
  const std::int32_t port = event.stages.port != 0 ? event.stages.port : job->start.port;
  job->start = event.stages;
  job->start.port = port;
  if (!event.stages.ports.empty() && event.stages.ports.size() == job->spec->launch.ports.size()) {
    job->ports.resize(job->tasks.size());
    job->ports[rank] = event.stages.ports;
  }
  task_runs(*job);
}

/// One of its tasks does: maybe the last of them.
void Controller::task_runs(Job& job) {
  const auto starting = std::count(job.tasks.begin(), job.tasks.end(), TaskState::Starting);
  if (starting > 0) return;
  if (job.state == Running) return healer_.job_runs(job.id, now_);
  if (job.state != Starting) return;
  if (!job.first_started_at) job.first_started_at = now_;
  set_state(job, Running, Termination::None);
}

void Controller::on(const TaskEnded& event) {
  Job* job = jobs_.find(event.job);
  if (job == nullptr || attempt_of(*job, event.rank) != event.attempt) return;
  const auto rank = static_cast<std::size_t>(event.rank);
  if (rank >= job->tasks.size() || job->tasks[rank] == TaskState::Ended) return;
  const bool ran =
      event.exit.kind == TaskExit::Kind::Exited || event.exit.kind == TaskExit::Kind::Signaled;
  if (ran) take_start({event.job, event.attempt, event.rank});  // what ended had started
  const NodeId node = job->placement[rank].node;
  end_task(*job, event.rank, event.exit);
  if (event.exit.kind == TaskExit::Kind::StartFailed && !event.exit.stopped) {
    see(node, {Symptom::StartRefused, event.exit.message, 0, event.job});
  }
}

void Controller::learn(const JobSpec& spec) {
  if (gyre::learn(demand_mix_, spec.tasks)) scheduler_.learn(demand_mix_.published);
}

// --- time
// -----------------------------------------------------------------------------------------

void Controller::fire_timers() {
  while (!timers_.empty() && timers_.begin()->first <= now_) {
    const JobId id = timers_.begin()->second;
    timers_.erase(timers_.begin());
    Job* job = jobs_.find(id);
    if (job != nullptr && !is_final(job->state)) fire_timer(*job);
  }
  if (const auto due = healer_.next_wakeup(); due && *due <= now_) wake_healer();
}

void Controller::fire_timer(Job& job) {
  if (job.spec->deadline && saturating_add(job.submitted_at, *job.spec->deadline) <= now_) {
    if (!is_wish(job.ending)) stop(job, Termination::DeadlineExceeded);
    return;
  }
  if (!job.hold_until || *job.hold_until > now_) return;
  job.hold_until.reset();
  queue(job);
}

// --- a job's way
// ----------------------------------------------------------------------------------

void Controller::place(JobId id, std::vector<TaskPlacement> placement, StartRule rule) {
  Job& job = *jobs_.find(id);
  ++job.attempt;
  job.attempts.clear();
  job.attempt_started_at = now_;
  job.tasks.assign(placement.size(), TaskState::Starting);
  job.placement = std::move(placement);
  job.ending = Termination::None;
  job.exit = {};
  set_state(job, Starting, Termination::None);
  scheduler_.job_placed(job, partition_of(job), now_);
  ledger_.placed(job, cluster_);
  job.last_command = emit(StartGang{id, job.attempt, job.placement, rule, with_image(job)});
}

void Controller::preempt(JobId victim, JobId beneficiary) {
  Job& job = *jobs_.find(victim);
  job.preempted_for = beneficiary;
  job.ending = Termination::Preempted;
  if (beneficiary.value != 0) making_room_[beneficiary].insert(victim);
  set_state(job, Preempting, Termination::Preempted);
  scheduler_.job_stopping(job, partition_of(job), now_);
  job.last_command = emit(StopGang{victim, job.attempt, Termination::Preempted, beneficiary,
                                   job.spec->checkpoint.grace});
}

void Controller::stop(Job& job, Termination cause) {
  if (job.state == Queued) {
    if (job.hold_until) timers_.erase({*job.hold_until, job.id});
    scheduler_.withdraw(job, partition_of(job), scene());
    return end(job, is_wish(cause) ? Cancelled : Failed, cause);
  }
  const JobState before = job.state;
  job.ending = cause;
  if (before == Stopping) return;  // already on its way; only the reason is a better one
  set_state(job, Stopping, cause);
  scheduler_.job_stopping(job, partition_of(job), now_);
  if (before == Preempting) return;
  job.last_command = emit(StopGang{job.id, job.attempt, cause, {}, job.spec->checkpoint.grace});
}

/// Of one task of several: an end that is bad of itself says which one's it is.
static TaskExit told_apart(TaskExit exit, std::int32_t rank, std::size_t tasks) {
  if (tasks < 2 || exit.ok() || exit.stopped) return exit;
  exit.message = fmt::format("task {}: {}", rank, words_of(exit));
  return exit;
}

void Controller::end_task(Job& job, std::int32_t rank, TaskExit exit) {
  const auto index = static_cast<std::size_t>(rank);
  ledger_.gave_back(job, job.placement[index], cluster_, exit.ended_at, now_);
  job.tasks[index] = TaskState::Ended;
  cluster_.release(job.placement[index].node, job.placement[index].allocation);
  const bool last = std::all_of(job.tasks.begin(), job.tasks.end(),
                                [](TaskState task) { return task == TaskState::Ended; });
  scheduler_.job_released(job, partition_of(job), last, now_);
  if (!last && replace_task(job, rank, exit)) return;
  if (job.exit.ok()) job.exit = told_apart(exit, rank, job.tasks.size());
  if (!exit.ok() && job.ending == Termination::None) {
    job.ending = exit.kind == TaskExit::Kind::Lost          ? Termination::NodeLost
                 : exit.kind == TaskExit::Kind::StartFailed ? Termination::StartRefused
                                                            : Termination::TaskFailed;
    set_state(job, Stopping, job.ending);
    if (!last) {
      scheduler_.job_stopping(job, partition_of(job), now_);
      job.last_command =
          emit(StopGang{job.id, job.attempt, job.ending, {}, job.spec->checkpoint.grace});
    }
  }
  if (last) finish_attempt(job);
}

void Controller::finish_attempt(Job& job) {
  const JobId beneficiary = std::exchange(job.preempted_for, JobId{});
  if (beneficiary.value != 0) {
    auto& victims = making_room_[beneficiary];
    victims.erase(job.id);
    if (victims.empty()) making_room_.erase(beneficiary);
  }
  job.placement.clear();
  job.tasks.clear();
  job.ports.clear();
  const Duration total = job.kept + (now_ - job.attempt_started_at);
  book_run_time(job);
  book_stop(job);
  const bool completed = job.exit.ok() && !job.exit.stopped;
  if (job.ending == Termination::None || (job.ending == Termination::Preempted && completed)) {
    return end(job, Succeeded, Termination::Completed, total);
  }
  switch (job.ending) {
    case Termination::Preempted:
      ++job.preemptions;
      set_state(job, Queued, Termination::Preempted);
      return queue(job);
    case Termination::UserRequest:
    case Termination::Retired:
      return end(job, Cancelled, job.ending);
    case Termination::DeadlineExceeded:
    case Termination::Idle:
      return end(job, Failed, job.ending);
    default:
      return retry_or_fail(job, total);
  }
}

/// Adds the attempt that is over to what the job has run, and what of it its checkpoints keep.
void Controller::book_run_time(Job& job) {
  const Duration ran = now_ - job.attempt_started_at;
  const Duration interval = job.spec->checkpoint.interval.value_or(Duration{0});
  job.ran = job.ran + ran;
  if (interval.ns <= 0) {
    job.kept = Duration{0};
  } else if (job.ending == Termination::Preempted || job.ending == Termination::None) {
    job.kept = job.kept + ran;  // it was asked to save first, or is done
  } else {
    job.kept = job.kept + interval * (ran.ns / interval.ns);
  }
}

/// Of those who ended badly by themselves only what is left is stopped.
void Controller::book_stop(const Job& job) {
  const bool told = job.ending == Termination::Preempted || job.ending == Termination::Idle ||
                    job.ending == Termination::DeadlineExceeded || is_wish(job.ending);
  if (!told) return;
  stops_.add(now_ - job.state_since);
  weigh_restarts();
}

void Controller::weigh_restarts() {
  const Time both = saturating_add(Time{} + stops_.median(), starts_.median());
  scheduler_.restart_takes(both - Time{});
}

void Controller::book_start(const Job& job) {
  const Duration took = now_ - job.attempt_started_at;
  if (took.ns <= 0) return;
  starts_.add(took);
  weigh_restarts();
}

void Controller::retry_or_fail(Job& job, Duration total) {
  const Retry& retry = job.spec->retry;
  // A task that stalled was lost, whatever ended it.
  const bool stalled =
      job.ending == Termination::TaskFailed && job.exit.kind == TaskExit::Kind::Lost;
  const bool wanted = stalled                                   ? retry.on_interruption
                      : job.ending == Termination::TaskFailed   ? retry.on_error
                      : job.ending == Termination::StartRefused ? retry.on_no_capacity
                                                                : retry.on_interruption;
  if (!wanted || job.retries >= retry.retries_max) {
    // A loss or a refusal says nothing of how long the job would have run.
    const bool by_itself = job.ending == Termination::TaskFailed;
    return end(job, Failed, job.ending, by_itself ? std::optional(total) : std::nullopt);
  }
  const std::int32_t doublings = std::min(job.retries, 20);
  const Duration backoff = healer_.with_jitter(
      std::min(retry.backoff_max, retry.backoff * (std::int64_t{1} << doublings)), job.id,
      job.retries);
  note_interruption(job);
  ++job.retries;
  set_state(job, Queued, job.ending);
  if (backoff.ns <= 0) return queue(job);
  job.hold_until = saturating_add(now_, backoff);
  scheduler_.job_held(job);
  timers_.emplace(*job.hold_until, job.id);
}

void Controller::queue(Job& job) {
  // It ran before and nodes never leave for good, so it fits.
  GYRE_ASSERT(scheduler_.enqueue(job, partition_of(job), scene()));
}

void Controller::set_state(Job& job, JobState to, Termination cause) {
  GYRE_ASSERT(is_legal_transition(job.state, to));
  decisions_.transitions.push_back({now_, job.id, job.attempt, job.state, to, cause});
  job.state = to;
  job.state_since = now_;
  if (!job.service.empty()) {
    services_.job_changed(job, cause, now_);
    services_due_.insert(job.service);
  }
  if (to == Running) healer_.job_runs(job.id, now_);
  if (is_final(to)) healer_.job_over(job.id, now_);
  if (to != Running) idle_.forget(job.id);
}

void Controller::end(Job& job, JobState final_state, Termination cause,
                     std::optional<Duration> total) {
  job.ending = cause;
  job.hold_until.reset();
  if (job.spec->deadline) {
    timers_.erase({saturating_add(job.submitted_at, *job.spec->deadline), job.id});
  }
  set_state(job, final_state, cause);
  leave_group(job.spec);
  count_container(job, -1);
  if (const auto partition = partition_of(job.spec)) {
    scheduler_.job_over(job, *partition, total, scene());
  }
  finished_.push_back(job.id);
}

void Controller::forget_oldest() {
  while (finished_.size() > config_.jobs_finished_kept_max) {
    ledger_.forget(finished_.front());
    jobs_.forget(finished_.front());
    finished_.pop_front();
  }
}

void Controller::forget_ended() {
  config_.jobs_finished_kept_max = 0;
  forget_oldest();
  ledger_ = {};
}

CommandId Controller::emit(decltype(Command::body) body) {
  ++last_command_.value;
  decisions_.commands.push_back({last_command_, std::move(body)});
  return last_command_;
}

std::optional<PartitionId> Controller::partition_of(const JobSpec& spec) const {
  const auto found = queue_partitions_.find(spec.queue);
  return found == queue_partitions_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace gyre::control
