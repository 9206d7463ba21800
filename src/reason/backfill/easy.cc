#include "reason/backfill/easy.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace gyre::reason {
std::optional<Reservation> reserve(const Question& question, JobId head, const Demand& demand,
                                   const Running& running) {
  std::optional<Reservation> reservation;
  Trial trial(question.cluster, demand.partition);
  running.walk(question.now, question.jobs, [&](const Ending& ending) {
    if (question.work >= question.work_max) return false;
    release_all(*question.jobs.find(ending.job), trial);
    if (question.cluster.free_gpu_milli(demand.partition) < demand.gpu_milli) return true;
    auto placement = question.placer.find(question.cluster, demand, head.value, question.work);
    if (!placement) return true;
    reservation = Reservation{head, ending.at, std::move(*placement), {}};
    return false;
  });
  if (!reservation) return std::nullopt;
  for (const TaskPlacement& task : reservation->placement) {
    const Capacity& free = question.cluster.node(task.node).free;
    reservation->free_then.push_back({free.cpu, free.memory});
  }
  return reservation;
}

void hold(Trial& trial, const Cluster& cluster, const Reservation& reservation) {
  for (std::size_t i = 0; i < reservation.placement.size(); ++i) {
    const TaskPlacement& task = reservation.placement[i];
    if (!cluster.node(task.node).open()) continue;
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
