#include "reason/placement/random.h"

#include "base/rng.h"

namespace gyre::reason {

Score Random::score(const NodeView& node, const Request& request, std::uint64_t draw) {
  Rng rng(draw * 0x9e3779b97f4a7c15ULL + node.first.value);
  Score score{{static_cast<std::int64_t>(rng.next() >> 1), 0, 0}, 0};
  if (request.gpus == 0 || request.gpu_milli == kWholeGpu) return score;
  std::uint64_t with_room = 0;
  for (std::int32_t i = 0; i < node.shape.gpus; ++i) {
    const std::int16_t left = node.free.gpu[static_cast<std::size_t>(i)];
    if (left < request.gpu_milli.value) continue;
    if (rng.below(++with_room) == 0) score.device_free = left;  // reservoir of one
  }
  return score;
}

}  // namespace gyre::reason
