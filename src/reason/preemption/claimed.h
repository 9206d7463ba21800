#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "domain/cluster.h"
#include "domain/job.h"

namespace gyre::reason {

/// True if exactly this is there.
inline bool has(const Capacity& free, const Allocation& part) {
  if (free.cpu < part.cpu || free.memory < part.memory) return false;
  for (std::uint32_t bits = part.devices; bits != 0; bits &= bits - 1) {
    const auto device = static_cast<std::size_t>(std::countr_zero(bits));
    if (free.gpu[device] < part.gpu_milli.value) return false;
  }
  return true;
}

/// True if exactly this is free now: what a claim is for may be gone when its victims are.
inline bool is_free(const Cluster& cluster, const TaskPlacement& task) {
  const Node& node = cluster.node(task.node);
  return node.open() && has(node.free, task.allocation);
}

}  // namespace gyre::reason
