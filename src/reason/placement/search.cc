#include "reason/placement/search.h"

#include <algorithm>
#include <numeric>
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

/// Whether every task can have a node of its own: by Hall's theorem, whether every subset of the
/// groups has as many nodes as tasks. `nodes`: by usable_by(); `tasks`: by group. O(4^groups).
bool match(std::span<const std::int64_t> nodes, std::span<const std::int64_t> tasks) {
  for (std::size_t subset = 1; subset < nodes.size(); ++subset) {
    std::int64_t need = 0;
    std::int64_t have = 0;
    for (std::size_t g = 0; g < tasks.size(); ++g) {
      if ((subset >> g & 1U) != 0) need += tasks[g];
    }
    for (std::size_t groups = 1; groups < nodes.size(); ++groups) {
      if ((groups & subset) != 0) have += nodes[groups];
    }
    if (have < need) return false;
  }
  return true;
}

/// Matches the tasks of a gang to nodes. Never takes a node that another group cannot spare.
class GangSearch {
 public:
  explicit GangSearch(const Search& search)
      : cluster_(search.cluster),
        demand_(search.demand),
        nodes_(std::size_t{1} << search.demand.groups.size()) {
    for (const Demand::Group& group : demand_.groups) missing_.push_back(group.count);
    const std::optional<TopologyLevel> within = search.within;
    const std::optional<std::uint32_t> domain = within ? domain_for(*within) : std::nullopt;
    if (within && !domain) return;
    for (const std::uint32_t index : cluster_.classes(demand_.partition)) {
      const NodeClass& state = cluster_.node_class(index);
      const std::size_t groups = usable_by(cluster_, demand_, state.shape, state.free);
      if (groups == 0) continue;
      const auto inside = [&](std::size_t i) {
        return !within || cluster_.domain(*within, state.nodes[i]) == *domain;
      };
      for (std::size_t from = 0, end = 0; from < state.nodes.size(); from = end) {
        end = within || search.per_node ? from + 1 : state.nodes.size();
        if (!inside(from)) continue;
        while (!search.per_node && end < state.nodes.size() && inside(end)) ++end;
        states_.push_back({&state, index, groups, from, end});
        nodes_[groups] += static_cast<std::int64_t>(end - from);
      }
    }
  }

  bool possible() const { return match(nodes_, missing_); }

  std::vector<TaskPlacement> place(const StateScore& score) {
    for (std::size_t g = 0; g < demand_.groups.size(); ++g) {
      while (missing_[g] > 0) take_best(g, score);
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

  std::optional<std::uint32_t> domain_for(TopologyLevel level) const {
    return supply_of(cluster_, demand_, level).tightest();
  }

  bool take_would_do(const State& state, std::size_t g) {
    if (missing_.size() == 1) return true;
    --nodes_[state.groups];
    --missing_[g];
    const bool possible_then = possible();
    ++nodes_[state.groups];
    ++missing_[g];
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
    while (missing_[g] > 0 && !best->used_up() && take_would_do(*best, g)) {
      const NodeId node = best->first();
      placement_.push_back({static_cast<std::int32_t>(placement_.size()), node,
                            cluster_.pick(node, group.request, best_score.device_free)});
      ++best->taken;
      --nodes_[best->groups];
      --missing_[g];
    }
  }

  const Cluster& cluster_;
  const Demand& demand_;
  std::vector<State> states_;
  std::vector<std::int64_t> nodes_;    // that are left, by usable_by()
  std::vector<std::int64_t> missing_;  // tasks that have no node yet, by group
  std::vector<TaskPlacement> placement_;
  std::int64_t looked_at_ = 0;
};

bool is_single(const Demand& demand) {
  return demand.groups.size() == 1 && demand.groups.front().count == 1;
}

}  // namespace

std::int64_t look_cost(const Cluster& cluster, PartitionId partition,
                       std::optional<TopologyLevel> within) {
  const std::size_t nodes = within ? cluster.nodes().size() : 0;
  return static_cast<std::int64_t>(cluster.classes(partition).size() + nodes);
}

std::size_t usable_by(const Cluster& cluster, const Demand& demand, ShapeId shape,
                      const Capacity& free) {
  std::size_t groups = 0;
  for (std::size_t g = 0; g < demand.groups.size(); ++g) {
    if (usable(cluster, shape, free, demand.groups[g])) groups |= std::size_t{1} << g;
  }
  return groups;
}

Supply::Supply(const Demand& demand, std::optional<TopologyLevel> within)
    : within_(within), subsets_(std::size_t{1} << demand.groups.size()) {
  for (const Demand::Group& group : demand.groups) tasks_.push_back(group.count);
}

void Supply::count(std::uint32_t domain, std::size_t groups, std::int64_t by) {
  if (enough_.size() <= domain) {
    enough_.resize(domain + 1);
    nodes_.resize((domain + 1) * subsets_);
  }
  const std::span<std::int64_t> nodes = std::span(nodes_).subspan(domain * subsets_, subsets_);
  nodes[groups] += by;
  const std::uint8_t enough = match(nodes, tasks_) ? 1 : 0;
  enough_count_ += enough - enough_[domain];
  enough_[domain] = enough;
}

void Supply::add(const Cluster& cluster, const NodeClass& state, std::size_t groups) {
  if (groups == 0) return;
  if (!within_) return count(0, groups, static_cast<std::int64_t>(state.nodes.size()));
  for (const NodeId node : state.nodes) count(cluster.domain(*within_, node), groups, 1);
}

void Supply::move(const Cluster& cluster, NodeId node, std::size_t from, std::size_t to) {
  if (from == to) return;
  const std::uint32_t domain = within_ ? cluster.domain(*within_, node) : 0;
  if (from != 0) count(domain, from, -1);
  if (to != 0) count(domain, to, 1);
}

std::optional<std::uint32_t> Supply::tightest() const {
  std::optional<std::uint32_t> best;
  std::int64_t fewest = 0;
  for (std::uint32_t domain = 0; domain < enough_.size(); ++domain) {
    if (enough_[domain] == 0) continue;
    const auto nodes = std::span(nodes_).subspan(domain * subsets_, subsets_);
    const std::int64_t sum = std::accumulate(nodes.begin(), nodes.end(), std::int64_t{0});
    if (best && sum >= fewest) continue;
    best = domain;
    fewest = sum;
  }
  return best;
}

Supply supply_of(const Cluster& cluster, const Demand& demand,
                 std::optional<TopologyLevel> within) {
  Supply supply(demand, within);
  for (const std::uint32_t index : cluster.classes(demand.partition)) {
    const NodeClass& state = cluster.node_class(index);
    supply.add(cluster, state, usable_by(cluster, demand, state.shape, state.free));
  }
  return supply;
}

std::optional<std::vector<TaskPlacement>> find_placement(const Search& search,
                                                         const StateScore& score,
                                                         std::int64_t& work) {
  work += look_cost(search.cluster, search.demand.partition, search.within);
  if (is_single(search.demand)) return place_one(search, score);
  GangSearch gang(search);
  if (!gang.possible()) return std::nullopt;
  auto placement = gang.place(score);
  work += gang.looked_at();
  return placement;
}

bool fits(const Cluster& cluster, const Demand& demand, std::int64_t& work) {
  const auto classes = cluster.classes(demand.partition);
  work += look_cost(cluster, demand.partition, demand.within());
  if (!is_single(demand)) return supply_of(cluster, demand, demand.within()).enough();
  return std::any_of(classes.begin(), classes.end(), [&](std::uint32_t index) {
    const NodeClass& state = cluster.node_class(index);
    return usable(cluster, state.shape, state.free, demand.groups.front());
  });
}

}  // namespace gyre::reason
