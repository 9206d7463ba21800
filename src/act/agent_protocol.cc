#include "act/agent_protocol.h"

#include <algorithm>

namespace gyre::act {

GpusSeen joined(GpusSeen first, GpusSeen second) {
  const std::size_t both = std::min(first.gpus.size(), second.gpus.size());
  for (std::size_t i = 0; i < both; ++i) {
    GpuNews& later = second.gpus[i];
    if (!later.facts) later.facts = std::move(first.gpus[i].facts);
    if (!later.sample) later.sample = std::move(first.gpus[i].sample);
  }
  return second;
}

}  // namespace gyre::act
