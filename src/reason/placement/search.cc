#include "reason/placement/search.h"

#include <algorithm>
#include <span>

#include "base/assert.h"

namespace gyre::reason {
namespace {

bool usable(const Cluster& cluster, ShapeId shape, const Capacity& free,
            const Demand::Group& group) {
  return group.could_run[shape.value] != 0 && has_room(cluster.shape(shape), free, group.request);
}

NodeView view_of(const Cluster& cluster, const NodeClass& state, NodeId first) {
  return {state.shape, cluster.shape(state.shape), state.free, state.resident, first, state.serial};
}

/// True if `score` on a state whose lowest node is `first` beats the best so far.
bool beats(const Score& score, NodeId first, const Score& best, NodeId best_first) {
  return score < best || (!(best < score) && first < best_first);
}

std::optional<std::vector<TaskPlacement>> place_one(const Search& search,
                                                    const StateScore& score_of) {
  const Cluster& cluster = search.cluster;
  const Demand::Group& group = search.demand.groups.front();
  std::optional<NodeId> best;
  Score best_score;
  for (const std::uint32_t index : cluster.classes(search.demand.partition)) {
    const NodeClass& state = cluster.node_class(index);
    if (!usable(cluster, state.shape, state.free, group)) continue;
    const std::size_t asked = search.per_node ? state.nodes.size() : 1;
    for (const NodeId node : std::span(state.nodes).first(asked)) {
      Score score = score_of(view_of(cluster, state, node), index, group);
      score.suspect = state.suspect;
      if (best && !beats(score, node, best_score, *best)) continue;
      best = node;
      best_score = score;
    }
  }
  if (!best) return std::nullopt;
  return std::vector<TaskPlacement>{
      {0, *best, cluster.pick(*best, group.request, best_score.device_free)}};
}

/// Matches the tasks of a gang to nodes. Never takes a node that another group cannot spare.
class GangSearch {
 public:
  explicit GangSearch(const Search& search)
      : cluster_(search.cluster), demand_(search.demand), supply_(search.demand) {
    for (const std::uint32_t index : cluster_.classes(demand_.partition)) {
      const NodeClass& state = cluster_.node_class(index);
      const std::size_t groups = usable_by(cluster_, demand_, state.shape, state.free);
      if (groups == 0) continue;
      supply_.nodes[groups] += static_cast<std::int64_t>(state.nodes.size());
      const std::size_t step = search.per_node ? 1 : state.nodes.size();
      for (std::size_t from = 0; from < state.nodes.size(); from += step) {
        states_.push_back({&state, index, groups, from, from + step});
      }
    }
  }

  bool possible() const { return supply_.enough(); }

  std::vector<TaskPlacement> place(const StateScore& score) {
    for (std::size_t g = 0; g < demand_.groups.size(); ++g) {
      while (supply_.missing[g] > 0) take_best(g, score);
    }
    return std::move(placement_);
  }

  std::int64_t looked_at() const { return looked_at_; }

 private:
  struct State {
    const NodeClass* node_class;
    std::uint32_t index;
    std::size_t groups;  // bit g: group g can use it
    std::size_t taken;   // its nodes below this index are used
    std::size_t end;

    NodeId first() const { return node_class->nodes[taken]; }
    bool used_up() const { return taken == end; }
  };

  bool take_would_do(const State& state, std::size_t g) {
    if (supply_.missing.size() == 1) return true;
    --supply_.nodes[state.groups];
    --supply_.missing[g];
    const bool possible_then = possible();
    ++supply_.nodes[state.groups];
    ++supply_.missing[g];
    return possible_then;
  }

  void take_best(std::size_t g, const StateScore& score_of) {
    const Demand::Group& group = demand_.groups[g];
    State* best = nullptr;
    Score best_score;
    looked_at_ += static_cast<std::int64_t>(states_.size());
    for (State& state : states_) {
      if ((state.groups >> g & 1U) == 0 || state.used_up()) continue;
      const NodeView view = view_of(cluster_, *state.node_class, state.first());
      Score score = score_of(view, state.index, group);
      score.suspect = state.node_class->suspect;
      if (best != nullptr && !beats(score, state.first(), best_score, best->first())) continue;
      if (!take_would_do(state, g)) continue;
      best = &state;
      best_score = score;
    }
    GYRE_ASSERT(best != nullptr);  // the gang was possible, and still is
    while (supply_.missing[g] > 0 && !best->used_up() && take_would_do(*best, g)) {
      const NodeId node = best->first();
      placement_.push_back({static_cast<std::int32_t>(placement_.size()), node,
                            cluster_.pick(node, group.request, best_score.device_free)});
      ++best->taken;
      --supply_.nodes[best->groups];
      --supply_.missing[g];
    }
  }

  const Cluster& cluster_;
  const Demand& demand_;
  std::vector<State> states_;
  Supply supply_;
  std::vector<TaskPlacement> placement_;
  std::int64_t looked_at_ = 0;
};

bool is_single(const Demand& demand) {
  return demand.groups.size() == 1 && demand.groups.front().count == 1;
}

}  // namespace

std::size_t usable_by(const Cluster& cluster, const Demand& demand, ShapeId shape,
                      const Capacity& free) {
  std::size_t groups = 0;
  for (std::size_t g = 0; g < demand.groups.size(); ++g) {
    if (usable(cluster, shape, free, demand.groups[g])) groups |= std::size_t{1} << g;
  }
  return groups;
}

Supply::Supply(const Demand& demand) : nodes(std::size_t{1} << demand.groups.size()) {
  for (const Demand::Group& group : demand.groups) missing.push_back(group.count);
}

bool Supply::enough() const {
  for (std::size_t subset = 1; subset < nodes.size(); ++subset) {
    std::int64_t need = 0;
    std::int64_t have = 0;
    for (std::size_t g = 0; g < missing.size(); ++g) {
      if ((subset >> g & 1U) != 0) need += missing[g];
    }
    for (std::size_t groups = 1; groups < nodes.size(); ++groups) {
      if ((groups & subset) != 0) have += nodes[groups];
    }
    if (have < need) return false;
  }
  return true;
}

std::optional<std::vector<TaskPlacement>> find_placement(const Search& search,
                                                         const StateScore& score,
                                                         std::int64_t& work) {
  work += static_cast<std::int64_t>(search.cluster.classes(search.demand.partition).size());
  if (is_single(search.demand)) return place_one(search, score);
  GangSearch gang(search);
  if (!gang.possible()) return std::nullopt;
  auto placement = gang.place(score);
  work += gang.looked_at();
  return placement;
}

bool fits(const Cluster& cluster, const Demand& demand, std::int64_t& work) {
  const auto classes = cluster.classes(demand.partition);
  work += static_cast<std::int64_t>(classes.size());
  if (!is_single(demand)) return GangSearch({cluster, demand, false}).possible();
  return std::any_of(classes.begin(), classes.end(), [&](std::uint32_t index) {
    const NodeClass& state = cluster.node_class(index);
    return usable(cluster, state.shape, state.free, demand.groups.front());
  });
}

}  // namespace gyre::reason
