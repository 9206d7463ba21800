#include "reason/placement/dot_product.h"

#include "reason/placement/measures.h"

namespace gyre::reason {

Score DotProduct::score(const NodeView& node, const Request& request, std::uint64_t /*draw*/) {
  // 100 * (1 - (cpu + gpu) / 2) rounded down, so the cost is half the sum rounded up.
  const std::int64_t cpu = node.free.cpu.value * request.cpu.value;
  const std::int64_t gpu = gpu_free(node) * request.gpu_total().value;
  constexpr std::int64_t kCpu = kNodeCpuMax * kNodeCpuMax;
  constexpr std::int64_t kGpu = kNodeGpuMax * kNodeGpuMax;
  static_assert(kCpu % kGpu == 0);
  const std::int64_t sum = cpu + gpu * (kCpu / kGpu);
  return {{ceil_div(50 * sum, kCpu), 0, 0}, chosen_device(node, request)};
}

}  // namespace gyre::reason
