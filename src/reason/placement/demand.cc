#include "reason/placement/demand.h"

#include <algorithm>
#include <utility>

#include "reason/placement/placement.h"

namespace gyre::reason {

std::uint32_t DemandTable::intern(PartitionId partition, const GangRequest& request,
                                  const Cluster& cluster) {
  const auto found =
      index_.find(Less::View{partition, request.topology, request.tasks, request.affinity});
  if (found != index_.end()) {
    refresh(demands_[found->second], cluster);
    return found->second;
  }
  if (index_.size() >= forget_at_) forget_idle();
  std::uint32_t index = 0;
  if (unused_.empty()) {
    index = static_cast<std::uint32_t>(demands_.size());
    demands_.emplace_back();
  } else {
    index = unused_.back();
    unused_.pop_back();
  }
  demands_[index] = make(partition, request, cluster);
  for (Demand::Group& group : demands_[index].groups) group.id = ++last_group_;
  index_.emplace(Key{partition, request.topology, request.tasks, request.affinity}, index);
  return index;
}

Demand DemandTable::make(PartitionId partition, const GangRequest& request,
                         const Cluster& cluster) {
  Demand demand;
  demand.partition = partition;
  demand.topology = request.topology;
  demand.affinity = request.affinity;
  demand.gpu_milli = gpu_total(request.tasks).value;
  for (const TaskGroup& group : request.tasks)
    demand.groups.push_back({group.count, group.request, {}, 0});
  refresh(demand, cluster);
  return demand;
}

Demand Demand::kept_from(std::vector<NodeId> nodes) const {
  nodes.insert(nodes.end(), avoid.begin(), avoid.end());
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  Demand other;
  other.partition = partition;
  other.groups = groups;
  other.topology = topology;
  other.affinity = affinity;
  other.avoid = std::move(nodes);
  other.gpu_milli = gpu_milli;
  return other;
}

void DemandTable::refresh(Demand& demand, const Cluster& cluster) {
  for (Demand::Group& group : demand.groups) {
    while (group.could_run.size() < cluster.shape_count()) {
      const ShapeId next{static_cast<std::uint32_t>(group.could_run.size())};
      group.could_run.push_back(could_run(cluster.shape(next), group.request) ? 1 : 0);
    }
  }
}

void DemandTable::forget_idle() {
  for (auto entry = index_.begin(); entry != index_.end();) {
    const Demand& demand = demands_[entry->second];
    if (demand.waiting.empty() && demand.apart == 0) {
      demands_[entry->second] = {};
      unused_.push_back(entry->second);
      entry = index_.erase(entry);
    } else {
      ++entry;
    }
  }
  forget_at_ = std::max(kIdleMax, 2 * index_.size());
}

}  // namespace gyre::reason
