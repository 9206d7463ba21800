#include "reason/placement/placement.h"

#include <algorithm>

#include "base/assert.h"

namespace gyre::reason {

bool has_room(const Shape& shape, const Capacity& free, const Request& request) {
  if (free.cpu < request.cpu || free.memory < request.memory) return false;
  if (request.gpus == 0) return true;
  if (request.gpus > shape.gpus) return false;
  const auto nth = static_cast<std::size_t>(shape.gpus - request.gpus);
  return free.gpu[nth] >= request.gpu_milli.value;  // the least free of the freest devices
}

bool could_run(const Shape& shape, const Request& request) {
  if (shape.cpu < request.cpu || shape.memory < request.memory) return false;
  if (request.gpus == 0) return true;
  if (shape.gpus < request.gpus || shape.gpu_memory < request.gpu_memory) return false;
  if (!can_share(shape, request)) return false;
  return request.gpu_models.empty() ||
         std::find(request.gpu_models.begin(), request.gpu_models.end(), shape.gpu_model) !=
             request.gpu_models.end();
}

std::int16_t tightest_device(const NodeView& node, const Request& request) {
  const auto end = node.free.gpu.begin() + node.shape.gpus;
  const auto found = std::lower_bound(node.free.gpu.begin(), end,
                                      static_cast<std::int16_t>(request.gpu_milli.value));
  GYRE_ASSERT(found != end);
  return *found;
}

Capacity take(const Capacity& free, std::int32_t gpus, const Request& request,
              std::int16_t device_free) {
  Capacity rest = free;
  rest.cpu -= request.cpu;
  rest.memory -= request.memory;
  const auto begin = rest.gpu.begin();
  const auto end = begin + gpus;
  if (request.gpus == 0) return rest;
  if (request.gpu_milli == kWholeGpu) {
    // Whole free devices are last; taken, they come first.
    std::fill(end - request.gpus, end, std::int16_t{0});
    std::rotate(begin, end - request.gpus, end);
    return rest;
  }
  auto device = std::lower_bound(begin, end, device_free);
  *device = static_cast<std::int16_t>(*device - request.gpu_milli.value);
  for (; device != begin && *(device - 1) > *device; --device) std::swap(*(device - 1), *device);
  return rest;
}

}  // namespace gyre::reason
