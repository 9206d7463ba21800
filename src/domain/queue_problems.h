#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/time.h"
#include "domain/queue.h"

namespace gyre {

/// The least half-life of past use, but for none.
inline constexpr Duration kHalfLifeMin = seconds(64);

/// What is wrong with one of several queues.
struct QueueProblem {
  std::size_t queue = 0;  // its place among them
  std::string message;
};

/// All that is wrong with the queues themselves and with their parents; of what is guaranteed only
/// where nothing else is.
std::vector<QueueProblem> problems_of(const std::vector<QueueSpec>& queues);

}  // namespace gyre
