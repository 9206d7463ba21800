#pragma once

#include "reason/placement/placement.h"

namespace gyre::reason {

/// Best fit: the node that is left with the least. A fraction goes to the device that it fills
/// best; a task without GPUs prefers nodes without them. Ties: least CPU left, then least memory
/// left.
class BestFit final : public PlacementPolicy {
 public:
  Score score(const NodeView& node, const Request& request, std::uint64_t draw) override;
};

}  // namespace gyre::reason
