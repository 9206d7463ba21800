#include "reason/placement/gpu_clustering.h"

#include "reason/placement/measures.h"

namespace gyre::reason {
namespace {

std::int64_t affinity(std::uint8_t resident, ResidentKind kind) {
  const auto own = static_cast<std::uint8_t>(1U << static_cast<unsigned>(kind));
  if (resident == own) return 75;
  if ((resident & own) != 0) return 50;
  return resident == 0 ? 25 : 0;
}

}  // namespace

Score GpuClustering::score(const NodeView& node, const Request& request, std::uint64_t /*draw*/) {
  const auto kind = resident_kind(request.gpus, request.gpu_milli);
  if (!kind) return {};
  const std::int64_t fullness = 25 * (kNodeGpuMax - gpu_free(node)) / kNodeGpuMax;
  return {{-(affinity(node.resident, *kind) + fullness), 0, 0}, chosen_device(node, request)};
}

}  // namespace gyre::reason
