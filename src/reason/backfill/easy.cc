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
  running.walk(question.now, [&](const Ending& ending) {
    gone.push_back(question.jobs.find(ending.job));
    question.work += 2 * held_cost(*gone.back());
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
  auto placement =
      question.placer.find(question.cluster, demand, question.asker(head), question.work);
  GYRE_ASSERT(placement);
  Reservation reservation{head, *at, std::move(*placement), {}};
  for (const TaskPlacement& task : reservation.placement) {
    const Capacity& free = question.cluster.node(task.node).free;
    reservation.free_then.push_back({free.cpu, free.memory});
  }
  return reservation;
}

void hold(const Reservation& reservation, std::size_t task, Capacity& free) {
  const Allocation& part = reservation.placement[task].allocation;
  const Reservation::Spare& then = reservation.free_then[task];
  for (std::uint32_t bits = part.devices; bits != 0; bits &= bits - 1) {
    std::int16_t& left = free.gpu[static_cast<std::size_t>(std::countr_zero(bits))];
    const std::int32_t kept = std::min<std::int32_t>(left, part.gpu_milli.value);
    left = static_cast<std::int16_t>(left - kept);
  }
  // Of what is needed then, what will come free by then need not be kept now.
  free.cpu -= std::clamp(part.cpu - (then.cpu - free.cpu), {}, free.cpu);
  free.memory -= std::clamp(part.memory - (then.memory - free.memory), {}, free.memory);
}

void run_past(Reservation& reservation, const std::vector<TaskPlacement>& placement) {
  std::vector<std::pair<NodeId, std::size_t>> kept;
  for (std::size_t i = 0; i < reservation.placement.size(); ++i) {
    kept.emplace_back(reservation.placement[i].node, i);
  }
  std::sort(kept.begin(), kept.end());
  for (const TaskPlacement& task : placement) {
    auto at = std::lower_bound(kept.begin(), kept.end(), std::pair(task.node, std::size_t{0}));
    for (; at != kept.end() && at->first == task.node; ++at) {
      run_past(reservation, at->second, task.allocation);
    }
  }
}

void run_past(Reservation& reservation, std::size_t task, const Allocation& part) {
  reservation.free_then[task].cpu -= part.cpu;
  reservation.free_then[task].memory -= part.memory;
}

}  // namespace gyre::reason
