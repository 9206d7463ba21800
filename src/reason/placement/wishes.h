#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <vector>

#include "domain/cluster.h"
#include "reason/placement/demand.h"

namespace gyre::reason {

/// Nodes that the demand's affinity keeps it from, ascending; also ones that are down, or of other
/// partitions. O(nodes that run its group, and that which it is apart from).
std::vector<NodeId> barred_nodes(const Cluster& cluster, const Demand& demand);

/// What an affinity wishes of nodes, while the tasks of one gang are placed. For a cluster that
/// stays as it is.
class Wishes {
 public:
  /// O(domains of the level that is balanced, and nodes that run the groups).
  Wishes(const Cluster& cluster, const Affinity& affinity);

  /// What tells nodes apart.
  struct Place {
    std::uint8_t far = 0;      // 0: a node of the group to be near to, ... 5: nothing in common
    std::uint32_t domain = 0;  // that is balanced; of nodes: the tasks of its group there
    auto operator<=>(const Place&) const = default;
  };
  Place place(NodeId node) const;

  /// The lower, the rather; below 2^61.
  std::int64_t rank(const Place& place) const;
  /// What of that tells places of one domain apart.
  static std::int64_t rank_inside(const Place& place) { return place.far * kFar; }
  /// A task of the gang goes there. True if that changes what other places rank.
  bool took(const Place& place);

 private:
  static constexpr std::size_t kLevels = kTopologyLevels + 1;
  static constexpr std::int64_t kFar = std::int64_t{1} << 40;

  const Cluster& cluster_;
  const Affinity& affinity_;
  std::array<std::vector<std::uint32_t>, kLevels> near_;  // domains of the group, ascending
  std::vector<std::int64_t> tasks_;                       // of its own group, by domain
};

}  // namespace gyre::reason
