#pragma once

#include "reason/placement/placement.h"

namespace gyre::reason {

/// The node with the least product of what is asked and what is free, summed over CPU and GPU, each
/// as a share of the largest node (128 CPU, 8 GPUs), in hundredths. The baseline "DotProd" of FGD
/// (Weng et al., USENIX ATC 2023), after Tetris (Grandl et al., SIGCOMM 2014). A fraction goes to
/// the device that it fills best.
class DotProduct final : public PlacementPolicy {
 public:
  Score score(const NodeView& node, const Request& request, std::uint64_t draw) override;
};

}  // namespace gyre::reason
