#include "reason/placement/placement.h"

#include <algorithm>

namespace gyre::reason {
namespace {

struct Best {
  const NodeClass* node_class = nullptr;
  Score score;
  NodeId first;  // lowest unused node of the class
};

/// The lowest node of the class that the gang does not use yet.
std::optional<NodeId> first_unused(const NodeClass& node_class, const std::vector<NodeId>& used) {
  for (const NodeId node : node_class.nodes) {
    if (!std::binary_search(used.begin(), used.end(), node)) return node;
  }
  return std::nullopt;
}

Best best_class(const Cluster& cluster, const Demand& demand, const Demand::Group& group,
                const std::vector<NodeId>& used, const PlacementPolicy& policy,
                std::int64_t& work) {
  Best best;
  const auto classes = cluster.classes(demand.partition);
  work += static_cast<std::int64_t>(classes.size());
  for (const std::uint32_t index : classes) {
    const NodeClass& candidate = cluster.node_class(index);
    const Shape& shape = cluster.shape(candidate.shape);
    if (group.could_run[candidate.shape.value] == 0) continue;
    if (!has_room(shape, candidate.free, group.request)) continue;
    const Score score = policy.score(shape, candidate.free, group.request);
    if (best.node_class != nullptr && best.score < score) continue;
    const auto first = used.empty() ? candidate.nodes.front() : first_unused(candidate, used);
    if (!first) continue;
    if (best.node_class == nullptr || score < best.score || *first < best.first) {
      best = {&candidate, score, *first};
    }
  }
  return best;
}

}  // namespace

bool has_room(const Shape& shape, const Capacity& free, const Request& request) {
  if (free.cpu < request.cpu || free.memory < request.memory) return false;
  if (request.gpus == 0) return true;
  if (request.gpus > shape.gpus) return false;
  const auto nth = static_cast<std::size_t>(shape.gpus - request.gpus);
  return free.gpu[nth] >= request.gpu_milli.value;  // the least free of the freest devices
}

bool could_run(const Shape& shape, const Request& request) {
  if (shape.cpu < request.cpu || shape.memory < request.memory) return false;
  if (request.gpus == 0) return true;
  if (shape.gpus < request.gpus || shape.gpu_memory < request.gpu_memory) return false;
  return request.gpu_models.empty() ||
         std::find(request.gpu_models.begin(), request.gpu_models.end(), shape.gpu_model) !=
             request.gpu_models.end();
}

std::optional<std::vector<TaskPlacement>> find_placement(const Cluster& cluster,
                                                         const Demand& demand,
                                                         const PlacementPolicy& policy,
                                                         std::int64_t& work) {
  std::vector<TaskPlacement> placement;
  std::vector<NodeId> used;  // ascending
  for (const Demand::Group& group : demand.groups) {
    for (std::int32_t missing = group.count; missing > 0;) {
      const Best best = best_class(cluster, demand, group, used, policy, work);
      if (best.node_class == nullptr) return std::nullopt;
      for (const NodeId node : best.node_class->nodes) {
        if (missing == 0) break;
        if (std::binary_search(used.begin(), used.end(), node)) continue;
        placement.push_back({static_cast<std::int32_t>(placement.size()), node,
                             cluster.pick(node, group.request, best.score.device_free)});
        --missing;
      }
      if (demand.groups.size() == 1 && missing == 0) break;  // nobody asks what is used
      for (std::size_t i = used.size(); i < placement.size(); ++i)
        used.push_back(placement[i].node);
      std::sort(used.begin(), used.end());
    }
  }
  return placement;
}

}  // namespace gyre::reason
