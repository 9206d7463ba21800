#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "domain/cluster.h"
#include "reason/placement/placement.h"

namespace gyre::reason {

/// Scores one state for one of the demand's groups.
using StateScore = std::function<Score(const NodeView& node, std::uint32_t class_index,
                                       const Demand::Group& group)>;

/// Finds a node for every task, each a different one, or none at all; finds one whenever there is
/// one, so taking resources away never makes a gang fit. Takes groups in order; within a group,
/// nodes of the best state by ascending id, then of the next best. Equal scores go to the state
/// whose first node is lowest. Adds the states looked at to `work`. O(distinct node states * (1 +
/// distinct states used)), times 4^groups for a gang of several groups; with `per_node`, every node
/// is a state.
struct Search {
  const Cluster& cluster;
  const Demand& demand;
  bool per_node = false;
};
std::optional<std::vector<TaskPlacement>> find_placement(const Search& search,
                                                         const StateScore& score,
                                                         std::int64_t& work);

/// Bit g: a node of that shape with `free` (devices ascending) has room for a task of group g.
std::size_t usable_by(const Cluster& cluster, const Demand& demand, ShapeId shape,
                      const Capacity& free);

/// The nodes that a gang may take, and its tasks that have none yet.
struct Supply {
  explicit Supply(const Demand& demand);  // no nodes, all tasks

  std::vector<std::int64_t> nodes;    // by usable_by()
  std::vector<std::int64_t> missing;  // by group

  /// Whether every task can have a node of its own: by Hall's theorem, whether every subset of the
  /// groups has as many nodes as tasks. O(4^groups).
  bool enough() const;
};

/// Whether find_placement() would find one. O(distinct node states), times 4^groups.
bool fits(const Cluster& cluster, const Demand& demand, std::int64_t& work);

}  // namespace gyre::reason
