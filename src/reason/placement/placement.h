#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "domain/cluster.h"
#include "domain/demand_mix.h"
#include "domain/job.h"
#include "reason/placement/demand.h"

namespace gyre::reason {

/// How good one node state is for one request; the least cost wins, compared left to right.
struct Score {
  std::array<std::int64_t, 3> cost{};
  std::int16_t device_free = 0;  // for a fraction: what the chosen device has free
  /// Set by the search, and compared first: any sound node goes before a suspect one, and one that
  /// the demand's affinity wishes for before another.
  std::int64_t before = 0;

  auto operator<=>(const Score& o) const {
    return before != o.before ? before <=> o.before : cost <=> o.cost;
  }
};

/// What a policy sees of a node.
struct NodeView {
  ShapeId shape_id;
  const Shape& shape;
  const Capacity& free;       // `free.gpu` holds `shape.gpus` values, ascending
  std::uint8_t resident = 0;  // as in NodeClass
  NodeId first;               // the lowest node in this state
  std::uint64_t serial = 0;   // of the state, as in NodeClass
};

/// Chooses among node states. Pure but for memories that never change an answer. Called once for
/// each distinct node state that has room, never for a node unless it asks for that.
class PlacementPolicy {
 public:
  virtual ~PlacementPolicy() = default;

  /// Requires: the request fits. `draw` is a number that is another for each job.
  virtual Score score(const NodeView& node, const Request& request, std::uint64_t draw) = 0;

  /// What tenants usually ask for is now this; empty: not known yet.
  virtual void learn(const std::vector<DemandKind>& /*mix*/) {}
  virtual bool learns() const { return false; }

  /// Nodes have joined since this was last told; `cluster` has them all.
  virtual void fleet(const Cluster& /*cluster*/) {}

  /// True if equal states may score differently: then each node is asked for by itself.
  virtual bool per_node() const { return false; }

  /// True if a score costs more than to look it up, depends on state and request alone, and uses
  /// only `cost[0]`.
  virtual bool costly() const { return false; }
};

/// True if `free` (devices ascending) has room for `request`, GPU model and memory aside. O(1).
bool has_room(const Shape& shape, const Capacity& free, const Request& request);

/// True if an empty node of this shape could run `request`.
bool could_run(const Shape& shape, const Request& request);

/// The least that a device has free and that is enough for the fraction. Requires: there is one.
std::int16_t tightest_device(const NodeView& node, const Request& request);

/// `free` without what `request` takes, devices ascending again. For a fraction: from a device with
/// `device_free`. Requires: it fits.
Capacity take(const Capacity& free, std::int32_t gpus, const Request& request,
              std::int16_t device_free);

}  // namespace gyre::reason
