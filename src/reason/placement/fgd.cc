#include "reason/placement/fgd.h"

#include <algorithm>

#include "reason/placement/measures.h"

namespace gyre::reason {
namespace {

// 1000 * ln(k / (100 - k)) for k = 51..99, in thousandths of a milli-GPU: where 100 / (1 + exp(-x /
// 1000)) reaches k. Those below 50 are the same, negative.
constexpr std::array<std::int64_t, 49> kSigmoidSteps{
    40005,   80043,   120144,  160343,  200671,  241162,  281851,  322773,  363965,  405465,
    447312,  489548,  532217,  575364,  619039,  663294,  708185,  753772,  800119,  847298,
    895384,  944462,  994623,  1045969, 1098612, 1152680, 1208311, 1265666, 1324925, 1386294,
    1450010, 1516347, 1585627, 1658228, 1734601, 1815290, 1900959, 1992430, 2090741, 2197225,
    2313635, 2442347, 2586689, 2751535, 2944439, 3178054, 3476099, 3891820, 4595120};

}  // namespace

void Fgd::learn(const std::vector<DemandKind>& mix) {
  fragmentation_ = Fragmentation(mix);
  constexpr std::size_t kMiddle = kSigmoidSteps.size();
  for (std::size_t i = 0; i < kSigmoidSteps.size(); ++i) {
    const std::int64_t step = kSigmoidSteps[i] * fragmentation_.weight();
    steps_[kMiddle + 1 + i] = step;
    steps_[kMiddle - 1 - i] = -step;
  }
}

/// 100 less the published score of a node whose fragmentation grows so much.
std::int64_t Fgd::step(std::int64_t growth) const {
  const auto reached = std::upper_bound(steps_.begin(), steps_.end(), -growth * 1000);
  return 100 - (reached - steps_.begin());
}

Score Fgd::score(const NodeView& node, const Request& request, std::uint64_t /*draw*/) {
  const std::int64_t before = fragmentation_.lost(node.shape_id, node.shape, node.free);
  const auto growth = [&](std::int16_t device_free) {
    const Capacity after = take(node.free, node.shape.gpus, request, device_free);
    return fragmentation_.lost(node.shape_id, node.shape, after) - before;
  };
  if (!is_fraction(request)) return {{step(growth(0)), 0, 0}, 0};
  Score best;
  for (std::int32_t i = 0; i < node.shape.gpus; ++i) {
    const std::int16_t left = node.free.gpu[static_cast<std::size_t>(i)];
    if (left < request.gpu_milli.value || left == best.device_free) continue;
    const std::int64_t cost = step(growth(left));
    if (best.device_free == 0 || cost < best.cost[0]) best = {{cost, 0, 0}, left};
  }
  return best;
}

}  // namespace gyre::reason
