#pragma once

#include <cstdint>

#include "domain/node.h"
#include "domain/queue.h"

namespace gyre {

/// All of a node's, whole.
inline ResourceSum resources_of(const NodeSpec& node) {
  return {std::int64_t{node.gpus} * kWholeGpu.value, node.cpu.value, node.memory.value};
}

}  // namespace gyre
