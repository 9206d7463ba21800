#include "reason/placement/search.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <span>
#include <utility>

#include "base/assert.h"
#include "reason/placement/wishes.h"

namespace gyre::reason {
namespace {

bool usable(const Cluster& cluster, ShapeId shape, const Capacity& free,
            const Demand::Group& group) {
  return group.could_run[shape.value] != 0 && has_room(cluster.shape(shape), free, group.request);
}

NodeView view_of(const Cluster& cluster, const NodeClass& state, NodeId first) {
  return {state.shape, cluster.shape(state.shape), state.free, state.resident, first, state.serial};
}

/// A suspect node comes after all wishes.
constexpr std::int64_t kSuspect = std::int64_t{1} << 62;

/// True if `score` on a state whose lowest node is `first` beats the best so far.
bool beats(const Score& score, NodeId first, const Score& best, NodeId best_first) {
  return score < best || (!(best < score) && first < best_first);
}

/// The states that some preferred node is in, ascending.
std::vector<std::uint32_t> states_of_preferred(const Search& search) {
  std::vector<std::uint32_t> states;
  for (const NodeId node : search.preferred) {
    if (node.value >= search.cluster.nodes().size()) break;  // it has not joined that cluster yet
    const Node& one = search.cluster.node(node);
    if (one.open()) states.push_back(one.class_index);
  }
  std::sort(states.begin(), states.end());
  states.erase(std::unique(states.begin(), states.end()), states.end());
  return states;
}

/// The best state for one task, and the lowest preferred node of those that are as good, or else
/// its lowest.
struct Best {
  NodeId node;
  Score score;
  std::vector<std::uint32_t> equal;  // states that are as good; kept where nodes are preferred

  void prefer(const Search& search) {
    std::sort(equal.begin(), equal.end());
    for (const NodeId one : search.preferred) {
      if (one.value >= search.cluster.nodes().size()) return;  // it has not joined that cluster yet
      const Node& there = search.cluster.node(one);
      if (!there.open() || !std::binary_search(equal.begin(), equal.end(), there.class_index)) {
        continue;
      }
      node = one;
      return;
    }
  }
};

std::optional<std::vector<TaskPlacement>> place_one(const Search& search,
                                                    const StateScore& score_of,
                                                    std::int64_t& work) {
  const Cluster& cluster = search.cluster;
  const Demand::Group& group = search.demand.groups.front();
  const bool prefers = !search.preferred.empty() && !search.per_node;
  std::optional<Best> best;
  for (const std::uint32_t index : cluster.classes(search.demand.partition)) {
    const NodeClass& state = cluster.node_class(index);
    if (!usable(cluster, state.shape, state.free, group)) continue;
    const std::size_t asked = search.per_node ? state.nodes.size() : 1;
    work += static_cast<std::int64_t>(asked) - 1;
    for (const NodeId node : std::span(state.nodes).first(asked)) {
      Score score = score_of(view_of(cluster, state, node), index, group);
      score.before = state.suspect ? kSuspect : 0;
      const bool same = prefers && best && !(score < best->score) && !(best->score < score);
      if (same) best->equal.push_back(index);
      if (best && !beats(score, node, best->score, best->node)) continue;
      if (!best) best.emplace();
      if (prefers && !same) best->equal = {index};
      best->node = node;
      best->score = score;
    }
  }
  if (!best) return std::nullopt;
  if (prefers) {
    best->prefer(search);
    // States with equal scores may differ in the device that they mean.
    const std::uint32_t chosen = cluster.node(best->node).class_index;
    best->score = score_of(view_of(cluster, cluster.node_class(chosen), best->node), chosen, group);
  }
  return std::vector<TaskPlacement>{
      {0, best->node, cluster.pick(best->node, group.request, best->score.device_free)}};
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

/// Matches the tasks of a gang to nodes, or one task of a demand with an affinity. Never takes a
/// node that another group cannot spare.
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
    if (!search.per_node) preferred_in_ = states_of_preferred(search);
    if (demand_.affinity) {
      arrange(search, domain);
      return;
    }
    for (const std::uint32_t index : cluster_.classes(demand_.partition)) {
      const NodeClass& state = cluster_.node_class(index);
      const std::size_t groups = usable_by(cluster_, demand_, state.shape, state.free);
      if (groups == 0) continue;
      if (has_preferred(index)) {
        split(search, domain, index, groups);
        continue;
      }
      const auto inside = [&](std::size_t i) {
        return !within || cluster_.domain(*within, state.nodes[i]) == *domain;
      };
      for (std::size_t from = 0, end = 0; from < state.nodes.size(); from = end) {
        end = within || search.per_node ? from + 1 : state.nodes.size();
        if (!inside(from)) continue;
        while (!search.per_node && end < state.nodes.size() && inside(end)) ++end;
        states_.push_back({&state, index, groups, &state.nodes[from], state.nodes.data() + end});
        nodes_[groups] += static_cast<std::int64_t>(end - from);
      }
    }
    looked_at_ += std::ssize(states_);
  }

  bool possible() const { return match(nodes_, missing_); }

  std::vector<TaskPlacement> place(const StateScore& score) {
    for (std::size_t g = 0; g < demand_.groups.size(); ++g) {
      for (int i = 0; missing_[g] > 0 && i < kLooksMax; ++i) take_best(g, score);
      if (missing_[g] > 0) take_in_order(g, score);
    }
    return std::move(placement_);
  }

  std::int64_t looked_at() const { return looked_at_; }

 private:
  struct State {
    const NodeClass* node_class;
    std::uint32_t index;
    std::size_t groups;  // bit g: group g can use it
    const NodeId* next;  // its nodes before this one are used
    const NodeId* end;
    Wishes::Place place{};   // of all its nodes
    bool preferred = false;  // so are all its nodes

    NodeId first() const { return *next; }
    bool used_up() const { return next == end; }
  };

  /// A group looks at all states so often; for more it puts them in order.
  static constexpr int kLooksMax = 2;

  /// What a place in the order of a group's choices rests on. Of equal scores, preferred nodes go
  /// first.
  struct Standing {
    const Score& score;
    NodeId first;
    bool preferred;
  };
  static bool is_better(const Standing& one, const Standing& best) {
    const bool equal = !(one.score < best.score) && !(best.score < one.score);
    if (equal && one.preferred != best.preferred) return one.preferred;
    return beats(one.score, one.first, best.score, best.first);
  }

  /// A state that a group could use, as it ranks in its domain. Of one domain the order stays while
  /// tasks come to it.
  struct Choice {
    Score score;
    NodeId first;
    State* state = nullptr;

    bool operator<(const Choice& other) const {
      return is_better({score, first, state->preferred},
                       {other.score, other.first, other.state->preferred});
    }
    bool operator>(const Choice& other) const { return other < *this; }
  };
  using Choices = std::priority_queue<Choice, std::vector<Choice>, std::greater<>>;

  /// States of nodes that the affinity lets it take, told apart by what it wishes of them.
  void arrange(const Search& search, std::optional<std::uint32_t> domain) {
    wishes_.emplace(cluster_, *demand_.affinity);
    looked_at_ += std::ssize(cluster_.group(demand_.affinity->near));
    const std::vector<NodeId> barred = barred_nodes(cluster_, demand_);
    const auto open = [&](NodeId node) {
      return (!domain || cluster_.domain(*search.within, node) == *domain) &&
             !std::binary_search(barred.begin(), barred.end(), node);
    };
    for (const std::uint32_t index : cluster_.classes(demand_.partition)) {
      const NodeClass& state = cluster_.node_class(index);
      const std::size_t groups = usable_by(cluster_, demand_, state.shape, state.free);
      if (groups == 0) continue;
      using Key = std::pair<Wishes::Place, bool>;
      std::map<Key, std::vector<NodeId>> places;
      auto last = places.end();
      for (const NodeId node : state.nodes) {
        if (!open(node)) continue;
        const Key key{wishes_->place(node), has_preferred(index) && is_preferred(search, node)};
        if (last == places.end() || last->first != key) last = places.try_emplace(key).first;
        last->second.push_back(node);
      }
      for (auto& [key, nodes] : places) {
        looked_at_ += static_cast<std::int64_t>(nodes.size());
        nodes_[groups] += static_cast<std::int64_t>(nodes.size());
        const std::vector<NodeId>& kept = arranged_.emplace_back(std::move(nodes));
        const std::size_t each = search.per_node ? 1 : kept.size();
        for (const NodeId* from = kept.data(); from != kept.data() + kept.size(); from += each) {
          states_.push_back({&state, index, groups, from, from + each, key.first, key.second});
        }
      }
    }
  }

  bool has_preferred(std::uint32_t index) const {
    return std::binary_search(preferred_in_.begin(), preferred_in_.end(), index);
  }
  static bool is_preferred(const Search& search, NodeId node) {
    return std::binary_search(search.preferred.begin(), search.preferred.end(), node);
  }

  /// One state of the nodes that are preferred, and one of the others.
  void split(const Search& search, std::optional<std::uint32_t> domain, std::uint32_t index,
             std::size_t groups) {
    const NodeClass& state = cluster_.node_class(index);
    std::array<std::vector<NodeId>, 2> parts;
    for (const NodeId node : state.nodes) {
      if (domain && cluster_.domain(*search.within, node) != *domain) continue;
      parts[is_preferred(search, node) ? 0 : 1].push_back(node);
    }
    looked_at_ += static_cast<std::int64_t>(state.nodes.size());
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].empty()) continue;
      nodes_[groups] += static_cast<std::int64_t>(parts[i].size());
      const std::vector<NodeId>& kept = arranged_.emplace_back(std::move(parts[i]));
      states_.push_back(
          {&state, index, groups, kept.data(), kept.data() + kept.size(), {}, i == 0});
    }
  }

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
      score.before = state.node_class->suspect ? kSuspect : 0;
      if (wishes_) score.before += wishes_->rank(state.place);
      if (best != nullptr && !is_better({score, state.first(), state.preferred},
                                        {best_score, best->first(), best->preferred})) {
        continue;
      }
      if (!take_would_do(state, g)) continue;
      best = &state;
      best_score = score;
    }
    GYRE_ASSERT(best != nullptr);  // the gang was possible, and still is
    take_nodes(*best, best_score, g);
  }

  /// The same until none is missing, with one look. A state that the group cannot have more nodes
  /// of now cannot give it any later: what may be taken for it are the independent sets of a
  /// matroid.
  void take_in_order(std::size_t g, const StateScore& score_of) {
    const Demand::Group& group = demand_.groups[g];
    looked_at_ += static_cast<std::int64_t>(states_.size());
    std::map<std::uint32_t, Choices> domains;
    for (State& state : states_) {
      if ((state.groups >> g & 1U) == 0 || state.used_up()) continue;
      const NodeView view = view_of(cluster_, *state.node_class, state.first());
      Score score = score_of(view, state.index, group);
      score.before = (state.node_class->suspect ? kSuspect : 0) + Wishes::rank_inside(state.place);
      domains[state.place.domain].push({score, state.first(), &state});
    }
    std::set<std::pair<Choice, std::uint32_t>> fronts;  // the best of each domain
    const auto line_up = [&](std::uint32_t domain) {
      if (domains[domain].empty()) return;
      Choice front = domains[domain].top();
      front.score.before = front.state->node_class->suspect ? kSuspect : 0;
      if (wishes_) front.score.before += wishes_->rank(front.state->place);
      fronts.emplace(front, domain);
    };
    for (const auto& [domain, choices] : domains) line_up(domain);
    while (missing_[g] > 0) {
      GYRE_ASSERT(!fronts.empty());
      ++looked_at_;
      const std::uint32_t domain = fronts.begin()->second;
      fronts.erase(fronts.begin());
      Choice choice = domains[domain].top();
      domains[domain].pop();
      State& state = *choice.state;
      const bool would_do = take_would_do(state, g);
      if (would_do) take_nodes(state, choice.score, g);
      if (would_do && !state.used_up()) {
        choice.first = state.first();
        domains[domain].push(choice);
      }
      line_up(domain);
    }
  }

  /// Takes nodes of the state while the group wants them, and no other place is better then.
  void take_nodes(State& best, const Score& score, std::size_t g) {
    while (missing_[g] > 0 && !best.used_up() && take_would_do(best, g)) {
      const NodeId node = best.first();
      placement_.push_back({static_cast<std::int32_t>(placement_.size()), node,
                            cluster_.pick(node, demand_.groups[g].request, score.device_free)});
      ++best.next;
      --nodes_[best.groups];
      --missing_[g];
      if (!wishes_) continue;
      placement_.back().allocation.group = demand_.affinity->group;
      if (wishes_->took(best.place)) break;  // another may be wished for now
    }
  }

  const Cluster& cluster_;
  const Demand& demand_;
  std::vector<State> states_;
  std::vector<std::int64_t> nodes_;    // that are left, by usable_by()
  std::vector<std::int64_t> missing_;  // tasks that have no node yet, by group
  std::vector<TaskPlacement> placement_;
  std::int64_t looked_at_ = 0;
  std::optional<Wishes> wishes_;               // of an affinity
  std::vector<std::vector<NodeId>> arranged_;  // what its states' nodes are in
  std::vector<std::uint32_t> preferred_in_;    // states with preferred nodes, ascending
};

/// Neither a gang nor one with an affinity.
bool is_plain(const Demand& demand) {
  return !demand.affinity && demand.groups.size() == 1 && demand.groups.front().count == 1;
}

}  // namespace

bool may_take(const Cluster& cluster, const Demand& demand, NodeId node) {
  if (!demand.restricted()) return true;
  const Affinity& affinity = *demand.affinity;
  return !std::binary_search(demand.avoid.begin(), demand.avoid.end(), node) &&
         affinity.allows(cluster.tasks_of(affinity.group, node),
                         cluster.tasks_of(affinity.apart, node));
}

std::int64_t look_cost(const Cluster& cluster, PartitionId partition,
                       std::optional<TopologyLevel> within) {
  const std::size_t nodes = within ? cluster.nodes().size() : 0;
  return static_cast<std::int64_t>(cluster.classes(partition).size() + nodes);
}

std::int64_t barred_cost(const Cluster& cluster, const Demand& demand) {
  if (!demand.restricted()) return 0;
  return std::ssize(cluster.group(demand.affinity->group)) +
         std::ssize(cluster.group(demand.affinity->apart)) + std::ssize(demand.avoid);
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
  for (const NodeId node : barred_nodes(cluster, demand)) {
    const Node& barred = cluster.node(node);
    if (!barred.open() || cluster.shape(barred.shape).partition != demand.partition) continue;
    const NodeClass& state = cluster.node_class(barred.class_index);
    supply.move(cluster, node, usable_by(cluster, demand, state.shape, state.free), 0);
  }
  return supply;
}

std::optional<std::vector<TaskPlacement>> find_placement(const Search& search,
                                                         const StateScore& score,
                                                         std::int64_t& work) {
  work += look_cost(search.cluster, search.demand.partition, search.within);
  work += static_cast<std::int64_t>(search.preferred.size());
  work += barred_cost(search.cluster, search.demand);
  if (is_plain(search.demand)) return place_one(search, score, work);
  // Nodes are arranged only for what fits.
  if (search.demand.affinity && !supply_of(search.cluster, search.demand, search.within).enough()) {
    return std::nullopt;
  }
  GangSearch gang(search);
  std::optional<std::vector<TaskPlacement>> placement;
  if (gang.possible()) placement = gang.place(score);
  work += gang.looked_at();
  return placement;
}

bool fits(const Cluster& cluster, const Demand& demand, std::int64_t& work) {
  const auto classes = cluster.classes(demand.partition);
  work += look_cost(cluster, demand.partition, demand.within());
  work += barred_cost(cluster, demand);
  if (!is_plain(demand)) return supply_of(cluster, demand, demand.within()).enough();
  return std::any_of(classes.begin(), classes.end(), [&](std::uint32_t index) {
    const NodeClass& state = cluster.node_class(index);
    return usable(cluster, state.shape, state.free, demand.groups.front());
  });
}

}  // namespace gyre::reason
