#pragma once

#include <vector>

#include "sim/report/report.h"
#include "sim/traces/trace.h"
#include "sim/workload.h"

namespace gyre::sim {

/// Finish-time fairness (Mahajan et al., "Themis", NSDI 2020): a job's rho is its completion time
/// over what that would have been had its queue had its share of the GPUs for itself, first come
/// first served. A queue's share goes by weights, level by level, among those with jobs, and is no
/// less than what it is guaranteed or its largest job asks for. Times under 10 s count as 10 s.
///
/// Jain's index (Jain, Chiu and Hawe, 1984) is of each queue's mean of min(1, 1/rho): what it got
/// of what it would have had alone. To be better off than alone takes nothing from anybody, so it
/// counts as no more than 1.
///
/// nullopt where all jobs are of one queue. O(jobs log jobs).
std::optional<Fairness> fairness_of(const std::vector<JobOutcome>& outcomes, const Trace& trace,
                                    const Workload& workload, std::int64_t fleet_gpu_milli);

}  // namespace gyre::sim
