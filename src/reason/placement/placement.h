#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "domain/cluster.h"
#include "domain/job.h"
#include "reason/placement/demand.h"

namespace gyre::reason {

/// How good one node state is for one request; the least cost wins, compared left to right.
struct Score {
  std::array<std::int64_t, 3> cost{};
  std::int16_t device_free = 0;  // for a fraction: what the chosen device has free

  auto operator<=>(const Score& o) const { return cost <=> o.cost; }
};

/// Chooses among node states. Pure, stateless and shared; called once for each distinct node state
/// that has room, never for a node.
class PlacementPolicy {
 public:
  virtual ~PlacementPolicy() = default;

  /// `free.gpu` holds `shape.gpus` values, ascending. Requires: the request fits.
  virtual Score score(const Shape& shape, const Capacity& free, const Request& request) const = 0;
};

/// True if `free` (devices ascending) has room for `request`, GPU model and memory aside. O(1).
bool has_room(const Shape& shape, const Capacity& free, const Request& request);

/// True if an empty node of this shape could run `request`.
bool could_run(const Shape& shape, const Request& request);

/// Finds a node for every task, each a different one, or none at all; finds one whenever there is
/// one, so taking resources away never makes a gang fit. Takes groups in order; within a group,
/// nodes of the best state by ascending id, then of the next best. Equal scores go to the state
/// whose first node is lowest. Adds the states looked at to `work`. O(distinct node states * (1 +
/// distinct states used)), times 4^groups for a gang of several groups.
std::optional<std::vector<TaskPlacement>> find_placement(const Cluster& cluster,
                                                         const Demand& demand,
                                                         const PlacementPolicy& policy,
                                                         std::int64_t& work);

}  // namespace gyre::reason
