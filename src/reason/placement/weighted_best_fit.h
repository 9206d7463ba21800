#pragma once

#include "reason/placement/placement.h"

namespace gyre::reason {

/// The node with the least left: the mean of its CPU and GPU left, each as a share of the largest
/// node (128 CPU, 8 GPUs), in hundredths. The baseline "BestFit" of FGD (Weng et al., USENIX ATC
/// 2023). It differs from BestFit: a whole GPU weighs as much as 16 CPU, and what is less than a
/// hundredth apart is equal. A fraction goes to the device that it fills best.
class WeightedBestFit final : public PlacementPolicy {
 public:
  Score score(const NodeView& node, const Request& request, std::uint64_t draw) override;
};

}  // namespace gyre::reason
