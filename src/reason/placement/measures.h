#pragma once

#include <cstdint>
#include <numeric>

#include "reason/placement/placement.h"

namespace gyre::reason {

// What the policies of FGD's experiment measure nodes by: its largest node.
inline constexpr std::int64_t kNodeCpuMax = 128'000;  // milli-CPU
inline constexpr std::int64_t kNodeGpuMax = 8'000;    // milli-GPUs

inline std::int64_t gpu_free(const NodeView& node) {
  return std::accumulate(node.free.gpu.begin(), node.free.gpu.begin() + node.shape.gpus,
                         std::int64_t{0});
}

inline bool is_fraction(const Request& request) {
  return request.gpus > 0 && request.gpu_milli < kWholeGpu;
}

/// The device that a fraction fills best; 0 for other requests.
inline std::int16_t chosen_device(const NodeView& node, const Request& request) {
  return is_fraction(request) ? tightest_device(node, request) : std::int16_t{0};
}

/// Requires: divisor > 0.
constexpr std::int64_t floor_div(std::int64_t value, std::int64_t divisor) {
  return value / divisor - (value % divisor < 0 ? 1 : 0);
}
constexpr std::int64_t ceil_div(std::int64_t value, std::int64_t divisor) {
  return -floor_div(-value, divisor);
}

}  // namespace gyre::reason
