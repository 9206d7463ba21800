#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "domain/cluster.h"
#include "reason/placement/free_capacity.h"
#include "reason/placement/search.h"

namespace gyre::reason {

/// Whether a gang would fit while allocations come and go in thought. The cluster stays as it is,
/// and must. Exactly what fits() says of a cluster so changed. Made of all distinct node states;
/// they are added to `work`.
class Thought {
 public:
  Thought(const Cluster& cluster, const Demand& demand, std::int64_t& work);

  /// O(devices + 4^groups).
  void release(NodeId node, const Allocation& part) { change(node, part, 1); }
  void allocate(NodeId node, const Allocation& part) { change(node, part, -1); }
  bool fits() const { return supply_.enough(); }  // O(1)
  /// Whether one of the gang's tasks would have room on the node.
  bool usable(NodeId node) const;

 private:
  struct Changed {
    NodeId node;
    NodeRoom room;
    std::size_t groups = 0;
  };
  void change(NodeId node, const Allocation& part, int sign);

  const Cluster& cluster_;
  const Demand& demand_;
  Supply supply_;
  /// Where the node is in changed_, or its size.
  std::size_t find(NodeId node) const;

  /// So many are walked to find one; more have an index.
  static constexpr std::size_t kWalkedMax = 8;
  std::vector<Changed> changed_;
  std::unordered_map<NodeId, std::size_t> index_;  // looked up, never walked
};

}  // namespace gyre::reason
