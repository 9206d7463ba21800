#include "reason/backfill/in_the_way.h"

namespace gyre::reason {

void add_in_the_way(const Demand& demand, const Reservation& kept, const JobTable& jobs,
                    std::vector<NodeId>& nodes) {
  if (!demand.affinity || demand.affinity->group.value == 0) return;
  const auto other = affinity_of(jobs.find(kept.job)->spec);
  if (!other || !other->restricts()) return;
  const GroupId group = demand.affinity->group;
  const bool counts = group == other->apart || (group == other->group && other->max_per_node > 0);
  if (!counts) return;
  for (const TaskPlacement& task : kept.placement) nodes.push_back(task.node);
}

}  // namespace gyre::reason
