#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/controller.h"
#include "control/forecast/forecast.h"

namespace gyre::control {

/// The same request with one thing changed, submitted to a copy of the core.
struct Alternative {
  std::string change;  // "preemptible", "on A100", "4 nodes instead of 8"
  bool starts_now = false;
  std::vector<JobId> preempts;  // jobs that would be stopped for it
  std::optional<Time> sooner;   // when it is expected to start, where that is much sooner
  bool at_latest = false;       // it may start before that: nobody knows
  bool looked_ahead = true;     // else nobody knows: the work for it was spent
};

/// What is to come of a request that waits.
struct Outlook {
  StartForecast start;
  /// Those that can run at all; at most kAlternativesMax. None of a replica: its service asks.
  std::vector<Alternative> alternatives;
};
inline constexpr std::size_t kAlternativesMax = 8;

/// Of a job that waits. Each alternative is tried as if it were submitted now in the job's stead,
/// and is much sooner where it waits a minute and a quarter of the job's wait less, or of its
/// longest where nobody knows how long it waits. One that gains nothing is left out: it would stop
/// jobs where the job itself does. Together they
/// may take as much work as the job itself may; in their order, until it is spent. O(jobs), then a
/// bounded number of steps.
Outlook outlook(const Controller& core, JobId job, Time now, const ForecastOptions& options = {});

/// What submitting `spec` now would lead to, and, if it would wait, what is to come of it.
struct PlannedJob {
  Plan plan;
  std::optional<Outlook> outlook;  // if it does not start now
};
/// Errors: as Controller::plan().
Result<PlannedJob> plan_job(const Controller& core, const JobSpec& spec, Time now,
                            const ForecastOptions& options = {});

/// Requests like `spec` that may be easier to place on that fleet, each with what is changed.
struct Variation {
  std::string change;
  JobSpec spec;
};
std::vector<Variation> variations_of(const JobSpec& spec, const Cluster& cluster,
                                     const PolicySpec& policy);

}  // namespace gyre::control
