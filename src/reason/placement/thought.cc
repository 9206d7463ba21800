#include "reason/placement/thought.h"

namespace gyre::reason {

Thought::Thought(const Cluster& cluster, const Demand& demand, std::int64_t& work)
    : cluster_(cluster), demand_(demand), supply_(supply_of(cluster, demand, demand.within())) {
  work += look_cost(cluster, demand.partition, demand.within()) + barred_cost(cluster, demand);
}

std::size_t Thought::find(NodeId node) const {
  if (changed_.size() > kWalkedMax) {
    const auto found = index_.find(node);
    return found == index_.end() ? changed_.size() : found->second;
  }
  std::size_t at = 0;
  while (at < changed_.size() && changed_[at].node != node) ++at;
  return at;
}

bool Thought::usable(NodeId id) const {
  const Node& node = cluster_.node(id);
  if (!node.open()) return false;
  const std::size_t at = find(id);
  return (at == changed_.size()
              ? usable_by(cluster_, demand_, node, NodeRoom(cluster_, demand_, id))
              : changed_[at].groups) != 0;
}

void Thought::change(NodeId id, const Allocation& part, int sign) {
  const Node& node = cluster_.node(id);
  if (!node.open()) return;
  const std::size_t at = find(id);
  if (at == changed_.size()) {
    const NodeRoom room(cluster_, demand_, id);
    changed_.push_back({id, room, usable_by(cluster_, demand_, node, room)});
    if (changed_.size() == kWalkedMax + 1) {
      for (std::size_t i = 0; i < at; ++i) index_.emplace(changed_[i].node, i);
    }
    if (changed_.size() > kWalkedMax) index_.emplace(id, at);
  }
  Changed& changed = changed_[at];
  add(demand_, part, sign, changed.room);
  const std::size_t groups = usable_by(cluster_, demand_, node, changed.room);
  supply_.move(cluster_, id, changed.groups, groups);
  changed.groups = groups;
}

}  // namespace gyre::reason
