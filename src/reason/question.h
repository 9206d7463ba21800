#pragma once

#include <cstdint>

#include "domain/cluster.h"
#include "domain/job_table.h"
#include "domain/trial.h"
#include "reason/placement/demand.h"
#include "reason/placement/placer.h"

namespace gyre::reason {

/// What has been looked at, and may be.
struct Effort {
  std::int64_t& work;
  std::int64_t work_max;
};

/// A cluster to find room on: the one that is, or one as it will be.
struct Ground {
  Cluster& cluster;
  Placer& placer;
  std::uint64_t id = 0;  // 0: the one that is
};

/// What an answer about "what if some jobs were gone" needs to look at. The cluster is changed
/// while a question is answered, and is as it was afterwards.
struct Question {
  Cluster& cluster;
  const JobTable& jobs;
  Placer& placer;
  Time now;
  std::int64_t& work;     // node states, and jobs, looked at
  std::int64_t work_max;  // at which the answer so far must do, where there can be one
  const ImageHolders& images;

  Asker asker(JobId job) const { return reason::asker(job, jobs, images); }
};

/// What one task of the job still holds, for every such task.
template <class Visitor>
void for_each_held(const Job& job, Visitor&& visit) {
  for (std::size_t i = 0; i < job.placement.size(); ++i) {
    if (job.tasks[i] != TaskState::Ended) visit(job.placement[i].node, job.placement[i].allocation);
  }
}

/// What a look at all that a placed job holds costs, in units of work: one for each of its tasks,
/// also for those that have ended, so that it stays the same.
inline std::int64_t held_cost(const Job& job) { return std::ssize(job.placement); }

/// `changed` is a Trial or a Thought.
template <class Changed>
void release_all(const Job& job, Changed& changed) {
  for_each_held(job, [&](NodeId node, const Allocation& part) { changed.release(node, part); });
}

template <class Changed>
void allocate_all(const Job& job, Changed& changed) {
  for_each_held(job, [&](NodeId node, const Allocation& part) { changed.allocate(node, part); });
}

}  // namespace gyre::reason
