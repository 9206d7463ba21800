#pragma once

#include "reason/placement/placement.h"

namespace gyre::reason {

/// Any node with room, all equally likely; a fraction goes to any device with room. The baseline
/// "Random" of FGD (Weng et al., USENIX ATC 2023). The same job draws the same node.
class Random final : public PlacementPolicy {
 public:
  Score score(const NodeView& node, const Request& request, std::uint64_t draw) override;
  bool per_node() const override { return true; }
};

}  // namespace gyre::reason
