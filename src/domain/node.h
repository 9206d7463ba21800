#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/quantity.h"
#include "base/result.h"
#include "domain/placement_rules.h"
#include "domain/request.h"
#include "domain/topology.h"

namespace gyre {

/// What a node offers; immutable once it has joined.
struct NodeSpec {
  std::string name;
  std::string partition;    // nodes and queues of one partition form a cluster of their own
  std::string gpu_model;    // empty on a node without GPUs
  std::int32_t gpus = 0;    // 0..kGpusPerNodeMax, all of one model
  MemoryMib gpu_memory{0};  // of each device; 0: unknown
  CpuMilli cpu{0};
  MemoryMib memory{0};
  bool virtual_gpus = false;  // declared, with no device behind them
  /// The one way in which its devices are shared, and what it enforces; never Auto. `Exclusive`: no
  /// fractions.
  Sharing gpu_sharing = Sharing::Timeslice;
  Location location{};

  bool operator==(const NodeSpec&) const = default;
};

inline constexpr std::size_t kNodeNameMax = 253;  // as of a name in the DNS (RFC 1035)

/// Letters, digits, '.', '-' and '_'. Errors: Invalid.
Result<void> check_node_name(std::string_view name);

/// Whether a person lets new tasks onto a node.
enum class NodeDuty : std::uint8_t {
  Open,
  Cordoned,  // no new tasks; what runs goes on
  Draining,  // as Cordoned, and what may be preempted goes elsewhere
};

/// Free share of each device, and free CPU and memory.
struct Capacity {
  std::array<std::int16_t, kGpusPerNodeMax> gpu{};  // milli-GPUs by device index
  CpuMilli cpu{0};
  MemoryMib memory{0};

  auto operator<=>(const Capacity&) const = default;
};

/// A part of one node given to one task.
struct Allocation {
  std::uint16_t devices = 0;  // bit i: device i
  GpuMilli gpu_milli{0};      // of each of those devices
  CpuMilli cpu{0};
  MemoryMib memory{0};
  Sharing sharing = Sharing::Exclusive;  // how those devices are held to that share; never Auto
  GroupId group{};  // that the task counts in; 0 unless its job has placement rules

  bool operator==(const Allocation&) const = default;
};

}  // namespace gyre
