#include "server/api/usage_watch.h"

#include <algorithm>
#include <utility>

#include "act/gang_start.h"

namespace gyre::server {

UsageWatch::UsageWatch(const control::Controller& core, const GpuWatch& gpus) : gpus_(gpus) {
  core.jobs().for_each([&](const Job& job) {
    for (std::size_t i = 0; i < job.tasks.size(); ++i) {
      if (job.tasks[i] == TaskState::Running) begin(job, i, job.state_since, core);
    }
  });
}

void UsageWatch::begin(const Job& job, std::size_t index, Time since,
                       const control::Controller& core) {
  const TaskPlacement& placed = job.placement[index];
  Task task{since, {}};
  for (int device = 0; device < kGpusPerNodeMax; ++device) {
    if ((placed.allocation.devices >> device & 1) == 0) continue;
    const std::string& node = core.cluster().node(placed.node).spec.name;
    task.devices.push_back({node, device, gpus_.usage(node, device).value_or(GpuWatch::Usage{})});
  }
  tasks_[act::key_of(job, placed.rank)] = std::move(task);
}

void UsageWatch::after(const Event& event, const control::Decisions& decisions,
                       const control::Controller& core) {
  for (const Transition& change : decisions.transitions) {
    if (is_placed(change.to)) continue;  // a lost node's tasks end without a word of their own
    tasks_.erase(tasks_.lower_bound({change.job, 0, 0}),
                 tasks_.lower_bound({JobId{change.job.value + 1}, 0, 0}));
  }
  for (const Command& command : decisions.commands) {
    if (const auto* anew = std::get_if<ReplaceTask>(&command.body)) {
      std::erase_if(tasks_, [&](const auto& task) {
        return task.first.job == anew->job && task.first.rank == anew->task.rank;
      });
    }
  }
  if (const auto* ended = std::get_if<TaskEnded>(&event.body)) {
    tasks_.erase({ended->job, ended->attempt, ended->rank});
    return;
  }
  const auto* started = std::get_if<TaskStarted>(&event.body);
  if (started == nullptr) return;
  const Job* job = core.jobs().find(started->job);
  if (find({started->job, started->attempt, started->rank}) != nullptr) return;  // told again
  if (job == nullptr || attempt_of(*job, started->rank) != started->attempt) return;
  for (std::size_t i = 0; i < job->placement.size(); ++i) {
    if (job->placement[i].rank == started->rank) begin(*job, i, event.at, core);
  }
}

const UsageWatch::Task* UsageWatch::find(const act::TaskKey& key) const {
  const auto found = tasks_.find(key);
  return found == tasks_.end() ? nullptr : &found->second;
}

}  // namespace gyre::server
