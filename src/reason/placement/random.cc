#include "reason/placement/random.h"

#include <algorithm>

#include "reason/placement/measures.h"

namespace gyre::reason {
namespace {

/// The finalizer of splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

}  // namespace

Score Random::score(const NodeView& node, const Request& request, std::uint64_t draw) {
  const std::uint64_t drawn = mix(mix(draw + 0x9e3779b97f4a7c15ULL) + node.first.value);
  Score score{{static_cast<std::int64_t>(drawn >> 1), 0, 0}, 0};
  if (!is_fraction(request)) return score;
  const auto end = node.free.gpu.begin() + node.shape.gpus;
  const auto first = std::lower_bound(node.free.gpu.begin(), end,
                                      static_cast<std::int16_t>(request.gpu_milli.value));
  const auto with_room = static_cast<std::uint64_t>(end - first);
  score.device_free = first[static_cast<std::ptrdiff_t>(mix(drawn) % with_room)];
  return score;
}

}  // namespace gyre::reason
