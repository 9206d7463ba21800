#include "reason/placement/best_fit.h"

#include <algorithm>
#include <numeric>

namespace gyre::reason {

Score BestFit::score(const Shape& shape, const Capacity& free, const Request& request) const {
  const auto devices_end = free.gpu.begin() + shape.gpus;
  const std::int64_t gpu_left =
      std::accumulate(free.gpu.begin(), devices_end, std::int64_t{0}) - request.gpu_total().value;
  const std::int64_t cpu_left = (free.cpu - request.cpu).value;
  const std::int64_t memory_left = (free.memory - request.memory).value;
  if (request.gpus == 0) {
    return {{shape.gpus * std::int64_t{kWholeGpu.value} + gpu_left, cpu_left, memory_left}, 0};
  }
  if (request.gpu_milli == kWholeGpu) return {{gpu_left, cpu_left, memory_left}, 0};
  const std::int16_t device = *std::lower_bound(free.gpu.begin(), devices_end,
                                                static_cast<std::int16_t>(request.gpu_milli.value));
  return {{device - request.gpu_milli.value, gpu_left, cpu_left}, device};
}

}  // namespace gyre::reason
