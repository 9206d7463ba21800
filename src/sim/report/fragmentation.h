#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "domain/cluster.h"
#include "sim/traces/trace.h"
#include "sim/workload.h"

namespace gyre::sim {

/// A kind of task, and how likely the next task is of it.
struct TypicalTask {
  Request request;
  double share = 0;
};

/// The most frequent kinds of task of a workload, that together make up 95 % of its tasks, with
/// their shares of those.
std::vector<TypicalTask> typical_tasks(const Workload& workload);

/// How much of the free GPU capacity the typical task cannot use: the fragmentation ratio of FGD
/// (Weng et al., "Beware of Fragmentation", USENIX ATC 2023, section 3). A free share counts as
/// lost to a kind of task on nodes that do not suit the kind (model, CPU, number of GPUs; CPU-only
/// tasks use no GPU at all), and where it is the rest of a device too small for it. Remembers each
/// node state's value, so that a cluster that changed little is measured quickly.
class Fragmentation {
 public:
  explicit Fragmentation(std::vector<TypicalTask> tasks) : tasks_(std::move(tasks)) {}

  /// 0..1 of the free GPU capacity of nodes that are up; nullopt if nothing is free.
  /// O(distinct node states + changed states * kinds of task).
  std::optional<double> ratio(const Cluster& cluster);

 private:
  struct Known {
    ShapeId shape{0xffffffff};
    Capacity free;
    double lost_milli = 0;
  };
  double lost(const Shape& shape, const Capacity& free) const;

  std::vector<TypicalTask> tasks_;
  std::vector<Known> known_;  // by class index
};

}  // namespace gyre::sim
