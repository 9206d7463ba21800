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

/// What a node has free in thought, and who is there that a demand's affinity counts.
struct NodeRoom {
  Capacity free;            // by device index
  std::int32_t own = 0;     // tasks of the demand's group; 0 of a demand without restrictions
  std::int32_t others = 0;  // and of that which it is apart from
  bool avoided = false;     // whoever is there

  NodeRoom(const Cluster& cluster, const Demand& demand, NodeId node)
      : free(cluster.node(node).free) {
    if (!demand.restricted()) return;
    own = cluster.tasks_of(demand.affinity->group, node);
    others = cluster.tasks_of(demand.affinity->apart, node);
    avoided = std::binary_search(demand.avoid.begin(), demand.avoid.end(), node);
  }
};

inline void add(const Demand& demand, const Allocation& part, int sign, NodeRoom& room) {
  add(part, sign, room.free);
  if (part.group.value == 0 || !demand.restricted()) return;
  if (part.group == demand.affinity->group) room.own -= sign;
  if (part.group == demand.affinity->apart) room.others -= sign;
}

/// usable_by() of a node, were `free` what it has free, by device index.
inline std::size_t usable_by(const Cluster& cluster, const Demand& demand, const Node& node,
                             Capacity free) {
  std::sort(free.gpu.begin(), free.gpu.begin() + node.spec.gpus);
  return usable_by(cluster, demand, node.shape, free);
}

/// The same with who is there: 0 of a node that the demand may not take.
inline std::size_t usable_by(const Cluster& cluster, const Demand& demand, const Node& node,
                             const NodeRoom& room) {
  if (room.avoided) return 0;
  if (demand.restricted() && !demand.affinity->allows(room.own, room.others)) return 0;
  return usable_by(cluster, demand, node, room.free);
}

}  // namespace gyre::reason
