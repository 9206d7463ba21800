#include "reason/placement/best_fit.h"

#include "reason/placement/measures.h"

namespace gyre::reason {

Score BestFit::score(const NodeView& node, const Request& request, std::uint64_t /*draw*/) {
  const std::int64_t gpu_left = gpu_free(node) - request.gpu_total().value;
  const std::int64_t cpu_left = (node.free.cpu - request.cpu).value;
  const std::int64_t memory_left = (node.free.memory - request.memory).value;
  if (request.gpus == 0) {
    const std::int64_t gpus = node.shape.gpus * std::int64_t{kWholeGpu.value};
    return {{gpus + gpu_left, cpu_left, memory_left}, 0};
  }
  if (!is_fraction(request)) return {{gpu_left, cpu_left, memory_left}, 0};
  const std::int16_t device = tightest_device(node, request);
  return {{device - request.gpu_milli.value, gpu_left, cpu_left}, device};
}

}  // namespace gyre::reason
