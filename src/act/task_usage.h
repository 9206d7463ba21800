#pragma once

#include <optional>

#include "act/executor.h"
#include "base/quantity.h"
#include "base/time.h"

namespace gyre::act {

/// What a task has used so far. A part is absent where the node cannot tell.
struct TaskUsage {
  std::optional<Duration> cpu;           // CPU time of all its processes
  std::optional<MemoryMib> memory_peak;  // page cache included, as the kernel counts it
  bool operator==(const TaskUsage&) const = default;
};

/// Tells what tasks use. Thread-safe; reads small files and never waits.
class TaskUsages {
 public:
  virtual ~TaskUsages() = default;

  /// Both parts absent for a task that does not run here.
  virtual TaskUsage usage(const TaskKey& key) const = 0;
};

}  // namespace gyre::act
