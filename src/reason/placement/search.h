#pragma once

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

/// Whether find_placement() would find one. O(distinct node states), times 4^groups.
bool fits(const Cluster& cluster, const Demand& demand, std::int64_t& work);

}  // namespace gyre::reason
