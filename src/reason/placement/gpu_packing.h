#pragma once

#include "reason/placement/placement.h"

namespace gyre::reason {

/// Devices in use first: a fraction prefers the fullest shared device with room; what must open
/// free devices prefers nodes in use, and idle ones last, small ones before large ones. The
/// baseline "GpuPacking" of FGD (Weng et al., USENIX ATC 2023).
class GpuPacking final : public PlacementPolicy {
 public:
  Score score(const NodeView& node, const Request& request, std::uint64_t draw) override;
};

}  // namespace gyre::reason
