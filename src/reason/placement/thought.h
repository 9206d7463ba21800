#pragma once

#include <cstdint>
#include <unordered_map>

#include "domain/cluster.h"
#include "reason/placement/search.h"

namespace gyre::reason {

/// Whether a gang would fit while allocations come and go in thought. The cluster stays as it is,
/// and must. Exactly what fits() says of a cluster so changed. Made of all distinct node states;
/// they are added to `work`.
class Thought {
 public:
  Thought(const Cluster& cluster, const Demand& demand, std::int64_t& work);

  void release(NodeId node, const Allocation& part) { change(node, part, 1); }    // O(devices)
  void allocate(NodeId node, const Allocation& part) { change(node, part, -1); }  // O(devices)
  bool fits() const { return supply_.enough(); }                                  // O(4^groups)
  /// Whether one of the gang's tasks would have room on the node.
  bool usable(NodeId node) const;

 private:
  struct Changed {
    Capacity free;  // by device index
    std::size_t groups = 0;
  };
  void change(NodeId node, const Allocation& part, int sign);
  std::size_t usable_by_groups(const Node& node, Capacity free) const;

  const Cluster& cluster_;
  const Demand& demand_;
  Supply supply_;
  std::unordered_map<std::uint32_t, Changed> changed_;  // by node; looked up, never walked
};

}  // namespace gyre::reason
