#include "reason/backfill/easy.h"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

namespace gyre::reason {
namespace {

struct Ending {
  Time at;
  const Job* job;
};

std::vector<Ending> endings_in_order(const Question& question, const std::set<JobId>& placed) {
  std::vector<Ending> endings;
  endings.reserve(placed.size());
  for (const JobId id : placed) {
    const Job* job = question.jobs.find(id);
    endings.push_back({expected_end(*job, question.now), job});
  }
  std::stable_sort(endings.begin(), endings.end(),
                   [](const Ending& a, const Ending& b) { return a.at < b.at; });
  return endings;
}

}  // namespace

std::optional<Reservation> reserve(const Question& question, JobId head, const Demand& demand,
                                   const std::set<JobId>& placed) {
  const std::vector<Ending> endings = endings_in_order(question, placed);
  Trial trial(question.cluster, demand.partition);
  for (std::size_t i = 0; i < endings.size(); ++i) {
    release_all(*endings[i].job, trial);
    if (i + 1 < endings.size() && endings[i + 1].at == endings[i].at) continue;
    auto placement = find_placement(question.cluster, demand, question.placement, question.work);
    if (!placement) continue;
    Reservation reservation{head, endings[i].at, std::move(*placement), {}};
    for (const TaskPlacement& task : reservation.placement) {
      const Capacity& free = question.cluster.node(task.node).free;
      reservation.free_then.push_back({free.cpu, free.memory});
    }
    return reservation;
  }
  return std::nullopt;
}

void hold(Trial& trial, const Cluster& cluster, const Reservation& reservation) {
  for (std::size_t i = 0; i < reservation.placement.size(); ++i) {
    const TaskPlacement& task = reservation.placement[i];
    if (!cluster.node(task.node).up) continue;
    const Capacity now = cluster.node(task.node).free;
    const Reservation::Spare& then = reservation.free_then[i];
    for (std::uint32_t bits = task.allocation.devices; bits != 0; bits &= bits - 1) {
      const auto device = static_cast<std::uint32_t>(std::countr_zero(bits));
      const GpuMilli kept{std::min<std::int32_t>(now.gpu[device], task.allocation.gpu_milli.value)};
      if (kept.value == 0) continue;
      trial.allocate(task.node, {static_cast<std::uint16_t>(1U << device), kept, {}, {}});
    }
    // Of what is needed then, what will come free by then need not be kept now.
    const CpuMilli cpu = std::clamp(task.allocation.cpu - (then.cpu - now.cpu), {}, now.cpu);
    const MemoryMib memory =
        std::clamp(task.allocation.memory - (then.memory - now.memory), {}, now.memory);
    if (cpu.value != 0 || memory.value != 0) trial.allocate(task.node, {0, {}, cpu, memory});
  }
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
