#pragma once

#include <vector>

#include "reason/question.h"
#include "reason/running.h"

namespace gyre::reason {

/// GPU time that stopping the job now would waste: its GPUs times the time since its last
/// checkpoint, in milli-GPU-nanoseconds; without checkpoints, since its start.
double work_at_risk(const Job& job, Time now);

/// Running preemptible jobs of lower priority than `head` whose end would let it start: lowest
/// priority first, then least work at risk, and none that could be spared. Empty if jobs that are
/// already being stopped make enough room, or if no set would. O(n log n + n * search) for n
/// evictable jobs.
std::vector<JobId> choose_victims(const Question& question, const Job& head, const Demand& demand,
                                  const Running& running);

}  // namespace gyre::reason
