#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "base/shared.h"
#include "control/controller.h"

namespace gyre::control {

/// One way in which things may go on.
struct Scenario {
  struct Arrival {
    Time at;
    Shared<JobSpec> spec;
    std::optional<Duration> work;  // nullopt: as `work` says
  };
  /// The whole work of a job, given what of it is done; nullopt: nobody knows, it never ends.
  /// Asked once for each job.
  std::function<std::optional<Duration>(const Job&, Duration age)> work;
  /// From a job being told to stop to its end, given that it has not ended for so long.
  std::function<Duration(const Job&, Duration waited)> stop;
  Time begin;                         // not before the core's last event
  std::span<const Arrival> arrivals;  // by time; outlive it
  Time horizon = Time::max();         // nothing is looked for after it
  std::int64_t events_max = 0;
  std::int64_t work_max = std::numeric_limits<std::int64_t>::max();
};

/// What an event costs besides what its cycle looks at, and each job of a copy, in node states.
inline constexpr std::int64_t kEventWork = 100;
inline constexpr std::int64_t kCopyWorkPerJob = 10;

struct FutureOutcome {
  std::map<JobId, Time> started;  // of those asked about
  std::set<JobId> endless;        // jobs that held something and whose work nobody knows
  std::int64_t work = 0;          // that it took, the copy included
  bool cut = false;               // a limit of events or of work ended it before all had started
};

/// Plays `core`, a copy, until all of `jobs` have started, the horizon or a limit is reached, or
/// nothing can happen any more. Nodes stay as they are, what a start takes is part of the work, and
/// tasks end well. Pure. O(events) steps.
FutureOutcome play(Controller core, const std::set<JobId>& jobs, const Scenario& scenario);

}  // namespace gyre::control
