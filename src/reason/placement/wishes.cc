#include "reason/placement/wishes.h"

#include <algorithm>

namespace gyre::reason {

std::vector<NodeId> barred_nodes(const Cluster& cluster, const Demand& demand) {
  if (!demand.restricted()) return {};
  std::vector<NodeId> barred = demand.avoid;
  const Affinity& affinity = *demand.affinity;
  if (affinity.max_per_node > 0) {
    for (const GroupTasks& place : cluster.group(affinity.group)) {
      if (place.tasks >= affinity.max_per_node) barred.push_back(place.node);
    }
  }
  for (const GroupTasks& place : cluster.group(affinity.apart)) barred.push_back(place.node);
  std::sort(barred.begin(), barred.end());
  barred.erase(std::unique(barred.begin(), barred.end()), barred.end());
  return barred;
}

Wishes::Wishes(const Cluster& cluster, const Affinity& affinity)
    : cluster_(cluster), affinity_(affinity) {
  for (std::size_t i = 0; affinity.near.value != 0 && i < kLevels; ++i) {
    std::vector<std::uint32_t>& domains = near_[i];
    for (const GroupTasks& place : cluster.group(affinity.near)) {
      domains.push_back(cluster.domain(static_cast<TopologyLevel>(i), place.node));
    }
    std::sort(domains.begin(), domains.end());
    domains.erase(std::unique(domains.begin(), domains.end()), domains.end());
  }
  if (affinity.balance == Balance::None) return;
  tasks_.resize(cluster.domain_count(affinity.level));
  for (const GroupTasks& place : cluster.group(affinity.group)) {
    tasks_[cluster.domain(affinity.level, place.node)] += place.tasks;
  }
}

Wishes::Place Wishes::place(NodeId node) const {
  Place place;
  for (std::size_t i = kLevels; i-- > 0; ++place.far) {
    const auto& domains = near_[i];
    if (domains.empty()) break;
    const std::uint32_t domain = cluster_.domain(static_cast<TopologyLevel>(i), node);
    if (std::binary_search(domains.begin(), domains.end(), domain)) break;
  }
  if (affinity_.balance == Balance::None) return place;
  place.domain = cluster_.domain(affinity_.level, node);
  if (affinity_.level == TopologyLevel::Node) {
    place.domain = static_cast<std::uint32_t>(tasks_[place.domain]);
  }
  return place;
}

std::int64_t Wishes::rank(const Place& place) const {
  constexpr std::int64_t kTasksMax = std::int64_t{1} << 32;
  const std::int64_t far = place.far * kFar;
  if (affinity_.balance == Balance::None) return far;
  const std::int64_t tasks =
      affinity_.level == TopologyLevel::Node ? place.domain : tasks_[place.domain];
  return far + (affinity_.balance == Balance::Spread ? tasks : kTasksMax - tasks);
}

bool Wishes::took(const Place& place) {
  // Each task of a gang goes to another node, so none of these counts changes for the others.
  if (affinity_.balance == Balance::None || affinity_.level == TopologyLevel::Node) return false;
  ++tasks_[place.domain];
  return true;
}

}  // namespace gyre::reason
