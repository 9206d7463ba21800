#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/time.h"
#include "domain/queue.h"

namespace gyre {

/// What is wrong with one of several queues.
struct QueueProblem {
  std::size_t queue = 0;  // its place among them
  std::string message;
};

/// Of past use. Errors: Invalid.
Result<void> check_half_life(Duration half_life);

/// All that is wrong with the queues themselves and with their parents; of what is guaranteed only
/// where nothing else is.
std::vector<QueueProblem> problems_of(const std::vector<QueueSpec>& queues);

}  // namespace gyre
