#include "reason/backfill/easy.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "reason/placement/thought.h"

namespace gyre::reason {
std::optional<Reservation> reserve(const Question& question, JobId head, const Demand& demand,
                                   const Running& running) {
  Thought thought(question.cluster, demand, question.work);
  std::vector<const Job*> gone;
  std::optional<Time> at;
  running.walk([&](const Ending& ending) {
    if (question.work >= question.work_max) return false;
    ++question.work;
    gone.push_back(question.jobs.find(ending.job));
    release_all(*gone.back(), thought);
    if (thought.fits()) at = ending.at;
    return !at;
  });
  if (!at) return std::nullopt;
  // Only nodes that the job may take need to be as they will be then.
  Trial trial(question.cluster, demand.partition);
  for (const Job* job : gone) {
    for_each_held(*job, [&](NodeId node, const Allocation& part) {
      if (thought.usable(node)) trial.release(node, part);
    });
  }
  auto placement = question.placer.find(question.cluster, demand, head.value, question.work);
  GYRE_ASSERT(placement);
  Reservation reservation{head, *at, std::move(*placement), {}};
  for (const TaskPlacement& task : reservation.placement) {
    const Capacity& free = question.cluster.node(task.node).free;
    reservation.free_then.push_back({free.cpu, free.memory});
  }
  return reservation;
}

void run_past(Reservation& reservation, const std::vector<TaskPlacement>& placement) {
  for (const TaskPlacement& task : placement) {
    for (std::size_t i = 0; i < reservation.placement.size(); ++i) {
      if (reservation.placement[i].node != task.node) continue;
      reservation.free_then[i].cpu -= task.allocation.cpu;
      reservation.free_then[i].memory -= task.allocation.memory;
    }
  }
}

}  // namespace gyre::reason
