#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "domain/cluster.h"

namespace gyre {

/// Changes a cluster for a question ("would it fit, were these gone?") and undoes every change when
/// it goes out of scope, the partition's growth() included. Allocations made by others meanwhile
/// stay. Trials may nest.
class Trial {
 public:
  Trial(Cluster& cluster, PartitionId partition);
  ~Trial();
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  void allocate(NodeId node, const Allocation& part);
  void release(NodeId node, const Allocation& part);

 private:
  struct Change {
    NodeId node;
    Allocation part;
    bool released;
  };
  Cluster& cluster_;
  PartitionId partition_;
  std::uint64_t growth_;
  std::vector<Change> changes_;
};

}  // namespace gyre
