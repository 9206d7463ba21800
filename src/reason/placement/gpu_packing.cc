#include "reason/placement/gpu_packing.h"

#include "reason/placement/measures.h"

namespace gyre::reason {
namespace {

// The bands of the score, of 100, best first.
constexpr std::int64_t kShared = 100;
constexpr std::int64_t kUsedNode = 50;
constexpr std::int64_t kIdleNode = 33;

}  // namespace

Score GpuPacking::score(const NodeView& node, const Request& request, std::uint64_t /*draw*/) {
  if (request.gpus == 0) return {};
  const std::int16_t device = chosen_device(node, request);
  std::int64_t score = 0;
  if (is_fraction(request) && device < kWholeGpu.value) {
    score = kShared - device / 100;
  } else if (gpu_free(node) < node.shape.gpus * std::int64_t{kWholeGpu.value}) {
    score = kUsedNode - request.gpus;
  } else {
    score = kIdleNode - node.shape.gpus;
  }
  return {{-score, 0, 0}, device};
}

}  // namespace gyre::reason
