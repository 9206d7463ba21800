#include "domain/trial.h"

namespace gyre {

Trial::Trial(Cluster& cluster, PartitionId partition)
    : cluster_(cluster), partition_(partition), growth_(cluster.growth(partition)) {}

Trial::~Trial() {
  for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) {
    const auto before = change + 1;
    if (before != changes_.rend() && before->node == change->node && before->part == change->part &&
        before->released != change->released) {
      ++change;  // the two leave nothing to undo
      continue;
    }
    if (change->released) {
      cluster_.allocate(change->node, change->part);
    } else {
      cluster_.release(change->node, change->part);
    }
  }
  cluster_.partitions_[partition_.value].growth = growth_;
}

void Trial::allocate(NodeId node, const Allocation& part) {
  cluster_.allocate(node, part);
  changes_.push_back({node, part, false});
}

void Trial::release(NodeId node, const Allocation& part) {
  cluster_.release(node, part);
  changes_.push_back({node, part, true});
}

}  // namespace gyre
