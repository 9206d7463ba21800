#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "domain/cluster.h"
#include "reason/placement/search.h"

namespace gyre::reason {

/// Adds `part` to what is free, or with -1 takes it away.
inline void add(const Allocation& part, int sign, Capacity& free) {
  for (std::uint32_t bits = part.devices; bits != 0; bits &= bits - 1) {
    std::int16_t& left = free.gpu[static_cast<std::size_t>(std::countr_zero(bits))];
    left = static_cast<std::int16_t>(left + sign * part.gpu_milli.value);
  }
  free.cpu.value += sign * part.cpu.value;
  free.memory.value += sign * part.memory.value;
}

/// usable_by() of a node, were `free` what it has free, by device index.
inline std::size_t usable_by(const Cluster& cluster, const Demand& demand, const Node& node,
                             Capacity free) {
  std::sort(free.gpu.begin(), free.gpu.begin() + node.spec.gpus);
  return usable_by(cluster, demand, node.shape, free);
}

}  // namespace gyre::reason
