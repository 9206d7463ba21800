#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "domain/reservation.h"
#include "reason/question.h"
#include "reason/running.h"

namespace gyre::reason {

/// The earliest time at which `head` can start if running jobs end when expected and nothing else
/// starts, and where (EASY's shadow time; Lifka, JSSPP 1995). nullopt if it does not fit even then.
/// O(distinct node states + k) for the k jobs that end before that.
std::optional<Reservation> reserve(const Question& question, JobId head, const Demand& demand,
                                   const Running& running);

/// Takes away what is free now but needed by the reservation then, so that a search sees only what
/// a job may use however long it runs. `changed` is a Trial or a Thought of the cluster.
template <class Changed>
void hold(Changed& changed, const Cluster& cluster, const Reservation& reservation);

/// Takes from what a node has free what the reservation's task needs of it then.
void hold(const Reservation& reservation, std::size_t task, Capacity& free);

/// Tells the reservation of a job placed beside it that may still run at its time.
void run_past(Reservation& reservation, const std::vector<TaskPlacement>& placement);
/// The same of one of its tasks, that got `part` of the node of the reservation's `task`.
void run_past(Reservation& reservation, std::size_t task, const Allocation& part);

template <class Changed>
void hold(Changed& changed, const Cluster& cluster, const Reservation& reservation) {
  for (std::size_t i = 0; i < reservation.placement.size(); ++i) {
    const TaskPlacement& task = reservation.placement[i];
    if (!cluster.node(task.node).open()) continue;
    const Capacity now = cluster.node(task.node).free;
    Capacity left = now;
    hold(reservation, i, left);
    for (std::uint32_t bits = task.allocation.devices; bits != 0; bits &= bits - 1) {
      const auto device = static_cast<std::uint32_t>(std::countr_zero(bits));
      const GpuMilli kept{now.gpu[device] - left.gpu[device]};
      if (kept.value == 0) continue;
      changed.allocate(task.node, {static_cast<std::uint16_t>(1U << device), kept, {}, {}});
    }
    const CpuMilli cpu = now.cpu - left.cpu;
    const MemoryMib memory = now.memory - left.memory;
    if (cpu.value != 0 || memory.value != 0) changed.allocate(task.node, {0, {}, cpu, memory});
    const GroupId group = task.allocation.group;
    if (group.value != 0) changed.allocate(task.node, {0, {}, {}, {}, Sharing::Exclusive, group});
  }
}

}  // namespace gyre::reason
