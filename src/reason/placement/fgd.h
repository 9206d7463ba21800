#pragma once

#include <array>
#include <cstdint>

#include "reason/placement/fragmentation.h"
#include "reason/placement/placement.h"

namespace gyre::reason {

/// Fragmentation gradient descent (Weng et al., "Beware of Fragmentation", USENIX ATC 2023): the
/// node and device where fragmentation grows least. As published, the growth counts in steps of a
/// sigmoid, about 40 milli-GPUs near zero; the many ties this makes go to the lowest node, and
/// that is worth about a point of allocation. Before demand is known every node is alike.
class Fgd final : public PlacementPolicy {
 public:
  Fgd() { learn({}); }

  Score score(const NodeView& node, const Request& request, std::uint64_t draw) override;
  void learn(const std::vector<DemandKind>& mix) override;
  bool learns() const override { return true; }
  bool costly() const override { return true; }

 private:
  std::int64_t step(std::int64_t growth) const;

  Fragmentation fragmentation_{{}};
  std::array<std::int64_t, 99> steps_{};  // growth that reaches each step, ascending
};

}  // namespace gyre::reason
