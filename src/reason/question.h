#pragma once

#include <algorithm>
#include <cstdint>

#include "domain/cluster.h"
#include "domain/job_table.h"
#include "domain/trial.h"
#include "reason/placement/demand.h"
#include "reason/placement/placement.h"

namespace gyre::reason {

/// What an answer about "what if some jobs were gone" needs to look at. The cluster is changed
/// while a question is answered, and is as it was afterwards.
struct Question {
  Cluster& cluster;
  const JobTable& jobs;
  const PlacementPolicy& placement;
  Time now;
  std::int64_t& work;  // node states looked at
};

/// What one task of the job still holds, for every such task.
template <class Visitor>
void for_each_held(const Job& job, Visitor&& visit) {
  for (std::size_t i = 0; i < job.placement.size(); ++i) {
    if (job.tasks[i] != TaskState::Ended) visit(job.placement[i].node, job.placement[i].allocation);
  }
}

inline void release_all(const Job& job, Trial& trial) {
  for_each_held(job, [&](NodeId node, const Allocation& part) { trial.release(node, part); });
}

inline void allocate_all(const Job& job, Trial& trial) {
  for_each_held(job, [&](NodeId node, const Allocation& part) { trial.allocate(node, part); });
}

/// When a placed job's resources are expected to be free. A job without an estimate, or well past
/// it, is expected to run as long again as it has run.
inline Time expected_end(const Job& job, Time now) {
  if (job.state == JobState::Preempting || job.state == JobState::Stopping) {
    return std::max(now, saturating_add(job.state_since, job.spec.checkpoint.grace));
  }
  const Duration elapsed = std::max(now - job.attempt_started_at, seconds(1));
  if (job.spec.expected_duration) {
    const Time end = saturating_add(job.attempt_started_at, *job.spec.expected_duration);
    if (saturating_add(end, elapsed / 10) >= now) return std::max(end, now);
  }
  return saturating_add(now, elapsed);
}

}  // namespace gyre::reason
