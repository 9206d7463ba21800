// A gang that has lost one of its tasks with its node: that task is started anew, not the gang.
#include <fmt/format.h>

#include "control/controller.h"

namespace gyre::control {
namespace {

/// Whether the job asks for it, and may be tried again at all.
bool wants_replacement(const Job& job, const TaskExit& exit) {
  const Retry& retry = job.spec->retry;
  const bool stays = job.state == JobState::Starting || job.state == JobState::Running;
  return exit.kind == TaskExit::Kind::Lost && retry.on_node_loss == NodeLossAnswer::Task && stays &&
         job.ending == Termination::None && job.retries < retry.retries_max;
}

}  // namespace

/// True if the lost task goes on elsewhere, and the others as they are. Else `exit` says why not.
/// Requires: what it held has been released, and another task has not ended.
bool Controller::replace_task(Job& job, std::int32_t rank, TaskExit& exit) {
  if (!wants_replacement(job, exit)) return false;
  if (exit.message.empty()) exit.message = "it was lost";
  if (rank == 0) {
    exit.message += "; the others find each other by task 0, so all are started anew";
    return false;
  }
  const auto place = scheduler_.place_for_task(job, rank, partition_of(job), scene());
  if (!place) {
    exit.message += "; no place is free for this task alone, so all are started anew";
    return false;
  }
  put_elsewhere(job, *place, exit);
  return true;
}

void Controller::put_elsewhere(Job& job, const TaskPlacement& place, const TaskExit& exit) {
  const auto index = static_cast<std::size_t>(place.rank);
  if (job.attempts.empty()) {
    const TaskAttempt first{job.attempt, job.attempt_started_at, job.last_command};
    job.attempts.assign(job.placement.size(), first);
  }
  ++job.retries;
  ++job.attempt;
  const NodeId lost = std::exchange(job.placement[index], place).node;
  job.tasks[index] = TaskState::Starting;
  if (!job.ports.empty()) job.ports[index].clear();
  cluster_.allocate(place.node, place.allocation);
  scheduler_.task_placed(job, place.rank, partition_of(job));
  ledger_.placed_anew(place, cluster_);
  job.last_command = emit(ReplaceTask{job.id, job.attempt, place, lost, exit.message});
  job.attempts[index] = {job.attempt, now_, job.last_command};
  healer_.job_interrupted(
      job.id,
      {Symptom::NodeLost,
       fmt::format("node {} was lost ({}); task {} is started anew on node {}, and the rest of the "
                   "gang runs on",
                   cluster_.node(lost).spec.name, exit.message, place.rank,
                   cluster_.node(place.node).spec.name),
       0},
      now_);
}

}  // namespace gyre::control
