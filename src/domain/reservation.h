#pragma once

#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "domain/job.h"

namespace gyre {

/// Room kept for a waiting job: where it will start, and when at the latest. For the first of its
/// partition's line, at the expected end of others; or, `claimed`, where others are being stopped
/// for it.
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

  bool claimed = false;

  bool operator==(const Reservation&) const = default;
};

}  // namespace gyre
