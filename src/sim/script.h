#pragma once

#include <vector>

#include "base/shared.h"
#include "base/time.h"
#include "domain/event.h"
#include "domain/job.h"
#include "domain/job_spec.h"

namespace gyre::sim {

/// What a record of a cluster's life knows beyond a trace: its jobs as they were submitted, how
/// each of their runs ended, and what else came from outside. Times are the trace's.
struct Script {
  /// A job's way from nothing done to an end of its own.
  struct Run {
    Duration work;
    TaskExit exit;  // of every task
  };
  struct Job {
    Shared<JobSpec> spec;
    std::vector<Run> runs;                  // at least one; when all are over, the last once more
    std::vector<Duration> start_latencies;  // by attempt, then the last; empty: the world's
    bool pinned = false;  // comes and goes as it did, whatever decides; in no figure of jobs
  };

  std::vector<Job> jobs;      // by submission
  std::vector<Event> events;  // by time: of nodes, queues and owners; `seq` says nothing
};

}  // namespace gyre::sim
