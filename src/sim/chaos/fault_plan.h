#pragma once

#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "domain/chaos.h"

namespace gyre::sim {

/// One fault that will happen.
struct PlannedFault {
  ChaosFault::Kind kind = ChaosFault::Kind::KillNode;
  ChaosFault::Way way = ChaosFault::Way::Both;
  Duration at{0};  // since the beginning
  Duration lasts{0};
  Duration by{0};
  SpanRange more;  // of SlowDisk: how much longer each time
  ChaosFault::Of of = ChaosFault::Of::Node;
  ChaosNetwork network;  // of SlowNetwork
  std::uint32_t node = 0;
  std::uint64_t which = 0;  // task, device or moment, whatever there is to choose from
};

/// That fault is of the server, and of no node.
bool is_of_server(const PlannedFault& fault);

/// Every fault of a run, by time. The same seed gives the same plan.
std::vector<PlannedFault> plan_faults(const ChaosSpec& spec, std::uint32_t nodes, const Rng& rng);

}  // namespace gyre::sim
