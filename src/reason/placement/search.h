#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "domain/cluster.h"
#include "reason/placement/placement.h"

namespace gyre::reason {

/// Scores one state for one of the demand's groups.
using StateScore = std::function<Score(const NodeView& node, std::uint32_t class_index,
                                       const Demand::Group& group)>;

/// Finds a node for every task, each a different one, or none at all; finds one whenever there is
/// one, so taking resources away never makes a gang fit. Takes groups in order; within a group,
/// nodes of the best state by ascending id, then of the next best. Equal scores go to nodes that
/// are preferred (without `per_node`), then to the state whose first node is lowest. Adds the
/// states looked at to `work`. O(s log s + tasks log s) for s distinct node states, times 4^groups
/// for a gang of several groups; with `per_node`, every node is a state. Of a demand with an
/// affinity nodes count apart by what it wishes: O(nodes) more, and states times what they are told
/// apart by.
struct Search {
  const Cluster& cluster;
  const Demand& demand;
  bool per_node = false;
  /// All nodes are to be of one domain of that level: that with the fewest nodes to choose from, of
  /// such ones the lowest. O(nodes) more.
  std::optional<TopologyLevel> within{};
  /// Ascending. Of nodes whose scores are equal these are taken first. O(these) more for one task,
  /// O(nodes in the states of these) more for a gang; nothing where there are none.
  std::span<const NodeId> preferred{};
};
std::optional<std::vector<TaskPlacement>> find_placement(const Search& search,
                                                         const StateScore& score,
                                                         std::int64_t& work);

/// Whether the demand's affinity lets a task of it go to the node.
bool may_take(const Cluster& cluster, const Demand& demand, NodeId node);

/// What one look at all that a demand could use costs, in units of work.
std::int64_t look_cost(const Cluster& cluster, PartitionId partition,
                       std::optional<TopologyLevel> within);
/// The same of the nodes that its affinity keeps it from.
std::int64_t barred_cost(const Cluster& cluster, const Demand& demand);

/// Bit g: a node of that shape with `free` (devices ascending) has room for a task of group g.
std::size_t usable_by(const Cluster& cluster, const Demand& demand, ShapeId shape,
                      const Capacity& free);

/// How many nodes a gang could choose from, counted apart by the domain that all of its tasks must
/// be in; all together where they may be in any. Of one demand, and nodes of one cluster that it is
/// told of.
class Supply {
 public:
  /// No nodes. `within`: as of a Search.
  Supply(const Demand& demand, std::optional<TopologyLevel> within);
  explicit Supply(const Demand& demand) : Supply(demand, demand.within()) {}

  /// Counts all nodes of a class. `groups`: usable_by() them. O(4^groups), times its nodes if they
  /// are counted apart.
  void add(const Cluster& cluster, const NodeClass& state, std::size_t groups);
  /// Counts a node otherwise than before. O(4^groups).
  void move(const Cluster& cluster, NodeId node, std::size_t from, std::size_t to);

  /// Whether, in some domain, every task can have a node of its own. O(1).
  bool enough() const { return enough_count_ > 0; }
  /// Of the domains that are enough, that with the fewest nodes. O(domains * 2^groups).
  std::optional<std::uint32_t> tightest() const;

 private:
  void count(std::uint32_t domain, std::size_t groups, std::int64_t by);

  std::optional<TopologyLevel> within_;
  std::vector<std::int64_t> tasks_;   // by group
  std::size_t subsets_;               // of the groups
  std::vector<std::int64_t> nodes_;   // by domain, and by usable_by()
  std::vector<std::uint8_t> enough_;  // by domain
  std::int64_t enough_count_ = 0;
};

/// All nodes of the demand's partition that it may take, by what is free on them. O(distinct node
/// states), and nodes that it may not take; O(nodes) within domains.
Supply supply_of(const Cluster& cluster, const Demand& demand, std::optional<TopologyLevel> within);

/// Whether find_placement() would find one within what the demand requires. O(distinct node
/// states), times 4^groups; O(nodes) more where it requires a domain, O(nodes that it may not take)
/// where its affinity restricts it.
bool fits(const Cluster& cluster, const Demand& demand, std::int64_t& work);

}  // namespace gyre::reason
