#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/shared.h"
#include "control/controller.h"
#include "control/forecast/estimate_errors.h"
#include "control/forecast/future.h"
#include "control/forecast/run_time_lessons.h"

namespace gyre::control {

struct ForecastOptions {
  int scenarios = 20;
  std::int64_t events_max = 10'000;     // of one scenario
  std::int64_t work_max = 100'000'000;  // of all of them, in node states that cores look at
  Duration horizon = seconds(std::int64_t{60} * 86'400);
  Duration past_max = seconds(std::int64_t{7} * 86'400);  // whose submissions may come again
  std::uint64_t seed = 1;
};

/// When a waiting job starts. Without a median `unknown` says why: nothing can be said; or, where
/// there is a lower bound, the start hangs on jobs of which nobody knows when they end, and lies
/// between what it is if they end at once and if they never do.
struct StartForecast {
  /// How often it is to lie between the bounds: of 20 scenarios one on either side is left out.
  static constexpr double kShare = 0.8;

  std::optional<Time> earliest;
  std::optional<Time> median;
  std::optional<Time> latest;  // none: it may be later than was looked for
  std::string unknown;         // one line for a person; empty where there is a median
};

/// Told by playing copies of a core through scenarios. A running or waiting job takes what
/// its submitter declared, off by as much as a job that is over was; without that a time drawn from
/// what jobs like it took; without any like it nobody knows when it ends. Under a policy that
/// learns, what jobs like it took goes first. A stop takes as long as one of the latest did.
/// Submissions go on as they came of late: those of the past week, from a place in it that is drawn
/// (a circular block bootstrap; Politis and Romano 1992).
///
/// Pure and deterministic: the same core and options give the same answers. Const methods may be
/// called from several threads.
class Forecaster {
 public:
  /// Takes a copy, as it is at `now`. O(jobs + scenarios * events).
  Forecaster(const Controller& core, Time now, const ForecastOptions& options = {});
  Forecaster(const Forecaster&) = delete;
  Forecaster& operator=(const Forecaster&) = delete;

  /// When these start. Requires: they wait. O(scenarios * events).
  std::map<JobId, StartForecast> starts(const std::set<JobId>& jobs) const;
  StartForecast start(JobId job) const { return starts({job}).at(job); }

  struct Sooner {
    bool looked_at = true;   // else the work was spent before it was known
    std::optional<Time> at;  // the median of its start, if that is no later than the limit
    bool at_latest = false;  // it may be sooner: jobs of which nobody knows when they end hold room
  };
  /// Whether a request would start by `limit`, were it submitted now in the stead of that job,
  /// which waits. Takes what it costs from `work`. Requires: the core would accept it.
  /// O(scenarios * events), ended as soon as the answer is known.
  Sooner sooner_instead_of(JobId waiting, const JobSpec& spec, Time limit,
                           std::int64_t& work) const;

 private:
  /// A submission of the past, which may come again.
  struct Past {
    Duration offset;  // since the past's beginning
    JobId job;
    Shared<JobSpec> spec;
    std::optional<Duration> work;
  };

  /// Starts by scenario, of those where the job starts at all.
  struct Starts {
    std::vector<Time> seen;     // who has no run time that is known never ends
    std::vector<Time> soonest;  // they end at once
  };

  std::map<JobId, Starts> play_all(const std::set<JobId>& jobs, std::set<JobId>& endless) const;
  FutureOutcome play_soonest(const Controller& core, const FutureOutcome& seen, int index) const;
  std::map<JobId, Time> gates(const std::set<JobId>& jobs) const;
  StartForecast tell(Starts starts, Time gate, bool widened) const;
  static bool any_ends(const Controller& core, const FutureOutcome& seen);
  void draw_arrivals(int scenario);
  Rng rng_of(int scenario) const;
  /// Whose run time nobody knows never ends, or, a replica apart, ends at once.
  enum class Unknown : std::uint8_t { Never, AtOnce };
  Scenario scenario(int index, Unknown unknown = Unknown::Never) const;
  std::optional<Duration> work_again(const Past& past, const Rng& draws) const;
  std::optional<Duration> draw_work(const Job& job, Duration age, double q) const;
  std::optional<Duration> draw_declared(const JobSpec& spec, Duration age, double q) const;
  Duration draw_stop(const Job& job, Duration waited, double q) const;
  static std::string who_is_endless(const Controller& core, JobId job,
                                    const std::set<JobId>& endless, bool replicas);
  static std::string why_unknown(const Controller& core, const Job& job,
                                 const std::set<JobId>& endless);

  ForecastOptions options_;
  Controller core_;
  Time now_;
  RunTimeLessons lessons_;
  EstimateErrors errors_;
  std::vector<Past> past_;  // by offset
  Duration past_length_{0};
  std::vector<std::vector<Scenario::Arrival>> arrivals_;  // by scenario; of specs in `past_`
};

}  // namespace gyre::control
