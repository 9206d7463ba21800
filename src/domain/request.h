#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "domain/sharing.h"

namespace gyre {

/// GPUs of one node at most; a node with more is refused when it joins.
inline constexpr int kGpusPerNodeMax = 16;
/// What one task may ask for. More than a node can have is well-formed, and never fits.
inline constexpr int kGpusPerTaskMax = 1024;

/// What one task asks of one node. A fraction (`gpu_milli` under 1000) is a share of one device, so
/// it needs gpus == 1; otherwise whole free devices are meant.
struct Request {
  std::int32_t gpus = 0;                // devices
  GpuMilli gpu_milli = kWholeGpu;       // of each device, 1..1000
  MemoryMib gpu_memory{0};              // least memory of each device
  std::vector<std::string> gpu_models;  // any of these; empty: any model
  CpuMilli cpu{0};
  MemoryMib memory{0};
  Sharing sharing = Sharing::Auto;  // of a fraction; whole devices: Auto or Exclusive

  auto operator<=>(const Request&) const = default;

  GpuMilli gpu_total() const { return gpu_milli * gpus; }
};

/// `count` equal tasks. Tasks of one job always go to different nodes.
struct TaskGroup {
  std::int32_t count = 1;
  Request request;

  auto operator<=>(const TaskGroup&) const = default;
};

/// Total GPU share of a gang, in milli-GPUs.
inline GpuMilli gpu_total(const std::vector<TaskGroup>& tasks) {
  GpuMilli sum{0};
  for (const TaskGroup& group : tasks) sum += group.request.gpu_total() * group.count;
  return sum;
}

inline std::int32_t task_count(const std::vector<TaskGroup>& tasks) {
  std::int32_t sum = 0;
  for (const TaskGroup& group : tasks) sum += group.count;
  return sum;
}

}  // namespace gyre
