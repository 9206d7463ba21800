#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "domain/cluster.h"
#include "domain/demand_mix.h"

namespace gyre::reason {

/// How much of a node's free GPU share tasks cannot use: fragmentation as FGD defines it (Weng et
/// al., "Beware of Fragmentation", USENIX ATC 2023, section 3). A free share counts as lost to a
/// kind of task on nodes that do not suit the kind (model, CPU, number of GPUs; CPU-only tasks use
/// no GPU at all), and where it is the rest of a device too small for it. The mean is over the
/// typical kinds of a mix, weighted by their frequency. Memory is left out, as in the paper.
///
/// Remembers which kinds suit a shape, so an object is for one cluster. Exact: integers only.
class Fragmentation {
 public:
  explicit Fragmentation(const std::vector<DemandKind>& mix);

  /// Lost milli-GPUs of one node in this state times weight(). `free.gpu` ascending. Zero if the
  /// mix is empty. O(kinds that suit the shape).
  std::int64_t lost(ShapeId id, const Shape& shape, const Capacity& free);

  /// Tasks in the typical mix.
  std::int64_t weight() const { return weight_; }

  struct Sum {
    double lost_milli = 0;        // the fragmentation amount
    std::int64_t free_milli = 0;  // of open nodes
    /// The fragmentation ratio, 0..1; nullopt if nothing is free or no mix is known.
    std::optional<double> ratio;
  };
  /// Over all partitions. Remembers each node state's value: O(distinct node states + new ones *
  /// kinds).
  Sum measure(const Cluster& cluster);

 private:
  struct Kind {
    std::int64_t cpu;
    std::int32_t gpus;
    std::int32_t gpu_milli;
    std::int64_t tasks;
  };
  struct Known {
    std::uint64_t serial = 0;
    std::int64_t lost = 0;
  };

  std::vector<DemandKind> typical_;
  std::int64_t weight_ = 0;
  std::vector<std::optional<std::vector<Kind>>> kinds_;  // by ShapeId; ascending by CPU
  std::vector<Known> known_;                             // by class index
};

}  // namespace gyre::reason
