#pragma once

#include <compare>
#include <cstdint>

#include "base/ids.h"
#include "domain/healing.h"

namespace gyre::sim {

/// One task of one attempt of a job.
struct TaskKey {
  JobId job;
  std::int32_t attempt = 0;
  std::int32_t rank = 0;

  auto operator<=>(const TaskKey&) const = default;
};

/// What the server tells a machine.
struct Order {
  enum class Kind : std::uint8_t { Start, Stop, Release, Discard, Repair };
  Kind kind = Kind::Start;
  TaskKey key;
  std::uint16_t devices = 0;
  std::int32_t gpu_milli = 0;
  CommandId repair_id{};
  Repair repair = Repair::None;
};

}  // namespace gyre::sim
