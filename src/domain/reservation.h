#pragma once

#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "domain/job.h"

namespace gyre {

/// Room kept for the first job of a partition's line: where it will start, and when at the latest.
struct Reservation {
  struct Spare {
    CpuMilli cpu{0};
    MemoryMib memory{0};
    bool operator==(const Spare&) const = default;
  };

  JobId job;
  Time at;
  std::vector<TaskPlacement> placement;
  std::vector<Spare> free_then;  // per task: what its node has free at `at`, before it starts

  bool operator==(const Reservation&) const = default;
};

}  // namespace gyre
