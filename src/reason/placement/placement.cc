#include "reason/placement/placement.h"

#include <algorithm>

#include "base/assert.h"

namespace gyre::reason {
namespace {

bool usable(const Cluster& cluster, const NodeClass& state, const Demand::Group& group) {
  return group.could_run[state.shape.value] != 0 &&
         has_room(cluster.shape(state.shape), state.free, group.request);
}

/// True if `score` on a state whose lowest node is `first` beats the best so far.
bool beats(const Score& score, NodeId first, const Score& best, NodeId best_first) {
  return score < best || (!(best < score) && first < best_first);
}

std::optional<std::vector<TaskPlacement>> place_one(const Cluster& cluster, const Demand& demand,
                                                    const PlacementPolicy& policy) {
  const Demand::Group& group = demand.groups.front();
  const NodeClass* best = nullptr;
  Score best_score;
  for (const std::uint32_t index : cluster.classes(demand.partition)) {
    const NodeClass& state = cluster.node_class(index);
    if (!usable(cluster, state, group)) continue;
    const Score score = policy.score(cluster.shape(state.shape), state.free, group.request);
    if (best != nullptr && !beats(score, state.nodes.front(), best_score, best->nodes.front())) {
      continue;
    }
    best = &state;
    best_score = score;
  }
  if (best == nullptr) return std::nullopt;
  const NodeId node = best->nodes.front();
  return std::vector<TaskPlacement>{
      {0, node, cluster.pick(node, group.request, best_score.device_free)}};
}

/// Matches the tasks of a gang to nodes. Never takes a node that another group cannot spare: by
/// Hall's theorem every subset of groups must keep as many usable nodes as it has tasks left.
class GangSearch {
 public:
  GangSearch(const Cluster& cluster, const Demand& demand, const PlacementPolicy& policy)
      : cluster_(cluster), demand_(demand), policy_(policy) {
    available_.resize(std::size_t{1} << demand.groups.size());
    for (const Demand::Group& group : demand.groups) missing_.push_back(group.count);
    for (const std::uint32_t index : cluster.classes(demand.partition)) {
      const NodeClass& state = cluster.node_class(index);
      std::size_t groups = 0;
      for (std::size_t g = 0; g < demand.groups.size(); ++g) {
        if (usable(cluster, state, demand.groups[g])) groups |= std::size_t{1} << g;
      }
      if (groups == 0) continue;
      states_.push_back({&state, groups, 0});
      available_[groups] += static_cast<std::int64_t>(state.nodes.size());
    }
  }

  std::optional<std::vector<TaskPlacement>> place() {
    if (!possible()) return std::nullopt;
    for (std::size_t g = 0; g < demand_.groups.size(); ++g) {
      while (missing_[g] > 0) take_best(g);
    }
    return std::move(placement_);
  }

  std::int64_t looked_at() const { return looked_at_; }

 private:
  struct State {
    const NodeClass* node_class;
    std::size_t groups;  // bit g: group g can use it
    std::size_t taken;   // its nodes below this index are used

    NodeId first() const { return node_class->nodes[taken]; }
    bool used_up() const { return taken == node_class->nodes.size(); }
  };

  bool possible() const {
    for (std::size_t subset = 1; subset < available_.size(); ++subset) {
      std::int64_t need = 0;
      std::int64_t have = 0;
      for (std::size_t g = 0; g < missing_.size(); ++g) {
        if ((subset >> g & 1U) != 0) need += missing_[g];
      }
      for (std::size_t groups = 1; groups < available_.size(); ++groups) {
        if ((groups & subset) != 0) have += available_[groups];
      }
      if (have < need) return false;
    }
    return true;
  }

  bool take_would_do(const State& state, std::size_t g) {
    if (missing_.size() == 1) return true;
    --available_[state.groups];
    --missing_[g];
    const bool possible_then = possible();
    ++available_[state.groups];
    ++missing_[g];
    return possible_then;
  }

  void take_best(std::size_t g) {
    const Demand::Group& group = demand_.groups[g];
    State* best = nullptr;
    Score best_score;
    looked_at_ += static_cast<std::int64_t>(states_.size());
    for (State& state : states_) {
      if ((state.groups >> g & 1U) == 0 || state.used_up()) continue;
      const Shape& shape = cluster_.shape(state.node_class->shape);
      const Score score = policy_.score(shape, state.node_class->free, group.request);
      if (best != nullptr && !beats(score, state.first(), best_score, best->first())) continue;
      if (!take_would_do(state, g)) continue;
      best = &state;
      best_score = score;
    }
    GYRE_ASSERT(best != nullptr);  // the gang was possible, and still is
    while (missing_[g] > 0 && !best->used_up() && take_would_do(*best, g)) {
      const NodeId node = best->first();
      placement_.push_back({static_cast<std::int32_t>(placement_.size()), node,
                            cluster_.pick(node, group.request, best_score.device_free)});
      ++best->taken;
      --available_[best->groups];
      --missing_[g];
    }
  }

  const Cluster& cluster_;
  const Demand& demand_;
  const PlacementPolicy& policy_;
  std::vector<State> states_;
  std::vector<std::int64_t> available_;  // unused nodes, by the groups that can use them
  std::vector<std::int64_t> missing_;    // tasks without a node yet, by group
  std::vector<TaskPlacement> placement_;
  std::int64_t looked_at_ = 0;
};

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
  work += static_cast<std::int64_t>(cluster.classes(demand.partition).size());
  if (demand.groups.size() == 1 && demand.groups.front().count == 1) {
    return place_one(cluster, demand, policy);
  }
  GangSearch search(cluster, demand, policy);
  auto placement = search.place();
  work += search.looked_at();
  return placement;
}

}  // namespace gyre::reason
