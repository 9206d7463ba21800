#pragma once

#include "reason/placement/placement.h"

namespace gyre::reason {

/// Nodes that run tasks of the same size (a share, 1, 2, 4 or 8 devices) and no other; then those
/// that run others as well; then idle ones; then the rest. Among them the fullest, in hundredths.
/// The baseline "GpuClustering" of FGD (Weng et al., USENIX ATC 2023), after Gandiva's affinity
/// (Xiao et al., OSDI 2018). Needs a cluster that tells residents apart.
class GpuClustering final : public PlacementPolicy {
 public:
  Score score(const NodeView& node, const Request& request, std::uint64_t draw) override;
};

}  // namespace gyre::reason
