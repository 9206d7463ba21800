#include "reason/placement/thought.h"

#include <algorithm>
#include <bit>

namespace gyre::reason {

Thought::Thought(const Cluster& cluster, const Demand& demand, std::int64_t& work)
    : cluster_(cluster), demand_(demand), supply_(demand) {
  const auto classes = cluster.classes(demand.partition);
  work += static_cast<std::int64_t>(classes.size());
  for (const std::uint32_t index : classes) {
    const NodeClass& state = cluster.node_class(index);
    supply_.nodes[usable_by(cluster, demand, state.shape, state.free)] +=
        static_cast<std::int64_t>(state.nodes.size());
  }
}

std::size_t Thought::usable_by_groups(const Node& node, Capacity free) const {
  std::sort(free.gpu.begin(), free.gpu.begin() + node.spec.gpus);
  return usable_by(cluster_, demand_, node.shape, free);
}

bool Thought::usable(NodeId id) const {
  const Node& node = cluster_.node(id);
  const auto found = changed_.find(id.value);
  return node.open() &&
         (found == changed_.end() ? usable_by_groups(node, node.free) : found->second.groups) != 0;
}

void Thought::change(NodeId id, const Allocation& part, int sign) {
  const Node& node = cluster_.node(id);
  if (!node.open()) return;
  const auto [found, is_new] = changed_.try_emplace(id.value);
  Changed& changed = found->second;
  if (is_new) changed = {node.free, usable_by_groups(node, node.free)};
  for (std::uint32_t bits = part.devices; bits != 0; bits &= bits - 1) {
    std::int16_t& left = changed.free.gpu[static_cast<std::size_t>(std::countr_zero(bits))];
    left = static_cast<std::int16_t>(left + sign * part.gpu_milli.value);
  }
  changed.free.cpu.value += sign * part.cpu.value;
  changed.free.memory.value += sign * part.memory.value;
  const std::size_t groups = usable_by_groups(node, changed.free);
  if (groups == changed.groups) return;
  --supply_.nodes[changed.groups];
  ++supply_.nodes[groups];
  changed.groups = groups;
}

}  // namespace gyre::reason
