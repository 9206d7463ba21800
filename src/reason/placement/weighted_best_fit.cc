#include "reason/placement/weighted_best_fit.h"

#include "reason/placement/measures.h"

namespace gyre::reason {

Score WeightedBestFit::score(const NodeView& node, const Request& request, std::uint64_t /*draw*/) {
  const std::int64_t cpu = (node.free.cpu - request.cpu).value;
  const std::int64_t gpu = gpu_free(node) - request.gpu_total().value;
  const std::int64_t sum = cpu + gpu * (kNodeCpuMax / kNodeGpuMax);
  return {{ceil_div(50 * sum, kNodeCpuMax), 0, 0}, chosen_device(node, request)};
}

}  // namespace gyre::reason
