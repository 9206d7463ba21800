// A controller's essential state: taking it and starting from it.
#include <algorithm>
#include <tuple>

#include "base/assert.h"
#include "control/controller.h"

namespace gyre::control {
namespace {

Result<void> take(Cluster& cluster, const Job& job) {
  if (!job.attempts.empty() && !job.tasks.empty() && job.attempts.size() != job.tasks.size()) {
    return fail(ErrorKind::Invalid, "job {} has {} tasks, and attempts of {}", job.id.value,
                job.tasks.size(), job.attempts.size());
  }
  if (job.placement.size() != job.tasks.size()) {
    return fail(ErrorKind::Invalid, "job {} has {} tasks on {} places", job.id.value,
                job.tasks.size(), job.placement.size());
  }
  for (std::size_t i = 0; i < job.placement.size(); ++i) {
    const TaskPlacement& task = job.placement[i];
    if (task.node.value >= cluster.nodes().size()) {
      return fail(ErrorKind::Invalid, "job {} is on node {}, which is unknown", job.id.value,
                  task.node.value);
    }
    if (job.tasks[i] == TaskState::Ended) continue;
    const Capacity& free = cluster.node(task.node).free;
    bool fits = task.allocation.cpu <= free.cpu && task.allocation.memory <= free.memory;
    for (std::size_t device = 0; device < free.gpu.size(); ++device) {
      const bool used = (task.allocation.devices >> device & 1U) != 0;
      fits = fits && (!used || free.gpu[device] >= task.allocation.gpu_milli.value);
    }
    if (!fits) {
      return fail(ErrorKind::Invalid, "job {} holds what node {} does not have", job.id.value,
                  task.node.value);
    }
    cluster.allocate(task.node, task.allocation);
  }
  return {};
}

/// What started those of its tasks that do not run yet.
void add_starts(const Job& job, Commands& commands) {
  bool with_gang = false;
  for (std::size_t i = 0; i < job.tasks.size(); ++i) {
    if (job.tasks[i] != TaskState::Starting) continue;
    const TaskPlacement& task = job.placement[i];
    if (attempt_of(job, task.rank) == gang_attempt(job)) {
      with_gang = true;
    } else {
      const TaskAttempt& own = job.attempts[i];
      commands.push_back({own.command, ReplaceTask{job.id, own.number, task, {}, {}}});
    }
  }
  if (!with_gang) return;
  const CommandId id = job.attempts.empty() ? job.last_command : job.attempts.front().command;
  commands.push_back(
      {id, StartGang{job.id, gang_attempt(job), job.placement, StartRule::HeadOfLine}});
}

}  // namespace

ControllerState Controller::state() const {
  ControllerState state{seq_,
                        now_,
                        last_command_,
                        jobs_.last(),
                        policy(),
                        {},
                        queues_,
                        {},
                        {},
                        scheduler_.reservations(),
                        scheduler_.run_times(),
                        demand_mix_,
                        healer_.state(),
                        scheduler_.fair_share().usages(),
                        scheduler_.fair_share().admissions(),
                        scheduler_.last_admission(),
                        services_.state(),
                        config_.cycle_work_max,
                        ledger_.state(),
                        idle_.state(),
                        images_.state(),
                        prefetcher_.state(),
                        {stops_.latest().begin(), stops_.latest().end()},
                        {starts_.latest().begin(), starts_.latest().end()}};
  for (std::uint32_t i = 0; i < cluster_.partition_count(); ++i) {
    state.partitions.push_back(cluster_.partition_name({i}));
  }
  for (const Node& node : cluster_.nodes()) {
    state.nodes.push_back({node.spec, node.up, node.duty, node.silent, node.gpu_troubles});
  }
  jobs_.for_each([&](const Job& job) { state.jobs.push_back(job); });
  return state;
}

Result<Controller> Controller::restore(const Config& config, const ControllerState& state) {
  Controller core(config);
  core.now_ = state.now;
  core.seq_ = state.seq;
  core.last_command_ = state.last_command;
  core.scheduler_.set_policy(state.policy, core.scene());
  core.demand_mix_ = state.demand_mix;
  core.scheduler_.learn(state.demand_mix.published);
  for (const std::string& name : state.partitions) core.cluster_.partition(name);
  for (const QueueSpec& queue : state.queues) core.on(QueueSet{queue});
  for (const NodeState& node : state.nodes) {
    const NodeId id{static_cast<std::uint32_t>(core.cluster_.nodes().size())};
    if (auto added = core.cluster_.add(id, node.spec); !added) {
      return tl::unexpected(added.error());
    }
    core.scheduler_.fleet_joined(id, node.spec, core.scene());
    core.cluster_.set_up(id, node.up);
    core.cluster_.set_duty(id, node.duty);
    core.cluster_.set_silent(id, node.silent);
    core.cluster_.set_gpu_troubles(id, node.gpu_troubles);
    core.healer_.node_joined();
    if (id.value < state.healing.nodes.size()) {
      const NodeHealth& health = state.healing.nodes[id.value];
      core.cluster_.set_quarantined(id, health.quarantined_until.has_value());
      core.cluster_.set_suspect(id, !health.seen.empty());
    }
    if (!core.cluster_.node(id).open()) core.scheduler_.fleet_changed(id, false, core.scene());
  }
  if (state.cycle_work_max > 0) core.config_.cycle_work_max = state.cycle_work_max;
  if (auto learned = core.scheduler_.restore_run_times(state.run_times); !learned) {
    return tl::unexpected(learned.error());
  }
  if (auto known = core.healer_.restore(state.healing, state.nodes.size()); !known) {
    return tl::unexpected(known.error());
  }
  if (auto known = core.services_.restore(state.services); !known) {
    return tl::unexpected(known.error());
  }
  for (const Job& saved : state.jobs) {
    if (saved.id <= core.jobs_.last() || saved.id > state.last_job) {
      return fail(ErrorKind::Invalid, "job {} is out of order", saved.id.value);
    }
    if (auto adopted = core.adopt(saved); !adopted) return tl::unexpected(adopted.error());
  }
  core.jobs_.skip_to(state.last_job);
  if (auto known = core.ledger_.restore(state.ledger, core.jobs_, core.cluster_); !known) {
    return tl::unexpected(known.error());
  }
  core.idle_.restore(state.idle);
  core.restore_images(state);
  for (const Duration stop : state.stops) core.stops_.add(stop);
  for (const Duration start : state.starts) core.starts_.add(start);
  core.weigh_restarts();
  core.order_finished();
  if (auto resumed = core.resume_queues(state); !resumed) return tl::unexpected(resumed.error());
  for (const Reservation& reservation : state.reservations) {
    const Job* job = core.jobs_.find(reservation.job);
    if (job == nullptr || job->state != JobState::Queued) {
      return fail(ErrorKind::Invalid, "job {} has a reservation, but does not wait",
                  reservation.job.value);
    }
    core.scheduler_.restore_reservation(reservation, *job, core.partition_of(*job), core.cluster_);
  }
  core.scheduler_.settle();
  return core;
}

/// What queues have used, and who of their jobs is in line.
Result<void> Controller::resume_queues(const ControllerState& state) {
  for (const Admission& admission : state.admissions) {
    const Job* job = jobs_.find(admission.job);
    if (job == nullptr || job->state != JobState::Queued || job->hold_until) {
      return fail(ErrorKind::Invalid, "job {} is admitted, but does not wait", admission.job.value);
    }
    scheduler_.restore_admission(admission, partition_of(*job), scene());
  }
  scheduler_.restore_last_admission(state.last_admission);
  for (const QueueUsage& usage : state.queue_usages) scheduler_.fair_share().restore(usage);
  return {};
}

Result<void> Controller::adopt(const Job& saved) {
  if (auto taken = take(cluster_, saved); !taken) return taken;
  const Job& job = jobs_.add(Job(saved));
  const auto partition = partition_of(job.spec);
  if (is_final(job.state)) {
    finished_.push_back(job.id);
    return {};
  }
  join_group(job.spec);
  count_container(job, 1);
  if (!partition) {
    return fail(ErrorKind::Invalid, "job {} waits in queue '{}', which is unknown", job.id.value,
                job.spec->queue);
  }
  if (job.spec->deadline) {
    timers_.emplace(saturating_add(job.submitted_at, *job.spec->deadline), job.id);
  }
  if (job.preempted_for.value != 0) making_room_[job.preempted_for].insert(job.id);
  if (is_placed(job.state)) {
    scheduler_.job_placed(job, *partition, now_);
  } else if (job.hold_until) {
    scheduler_.job_held(job);
    timers_.emplace(*job.hold_until, job.id);
  } else if (!scheduler_.enqueue(job, *partition, scene())) {
    return fail(ErrorKind::Invalid, "job {} waits for what no node has", job.id.value);
  }
  return {};
}

void Controller::order_finished() {
  std::sort(finished_.begin(), finished_.end(), [this](JobId a, JobId b) {
    return std::tuple(jobs_.find(a)->state_since, a) < std::tuple(jobs_.find(b)->state_since, b);
  });
}

Commands Controller::outstanding() const {
  Commands commands;
  jobs_.for_each([&](const Job& job) {
    if (job.state == JobState::Starting || job.state == JobState::Running) {
      add_starts(job, commands);
    } else if (job.state == JobState::Preempting || job.state == JobState::Stopping) {
      commands.push_back(
          {job.last_command, StopGang{job.id, job.attempt, job.ending, job.preempted_for,
                                      job.spec->checkpoint.grace}});
    }
  });
  for (std::uint32_t i = 0; i < cluster_.nodes().size(); ++i) {
    const auto& underway = healer_.health({i}).underway;
    if (!underway) continue;
    commands.push_back({underway->command, RepairNode{{i},
                                                      underway->repair,
                                                      underway->device,
                                                      underway->incident,
                                                      underway->at,
                                                      healer_.spec().repair_max}});
  }
  std::sort(commands.begin(), commands.end(),
            [](const Command& a, const Command& b) { return a.id < b.id; });
  return commands;
}

}  // namespace gyre::control
