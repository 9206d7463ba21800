#pragma once

#include <cstdint>
#include <limits>

#include "domain/job.h"
#include "domain/policy.h"
#include "reason/queueing/run_times.h"

namespace gyre::reason {

/// A job's place, in line or among those that run: lower is earlier.
using Rank = std::int64_t;

/// Of a waiting job that has waited too long: before every rank that an order gives.
inline constexpr Rank kStarving = std::numeric_limits<Rank>::min() + 1;

/// Of a running job that is left alone for now: beyond no bar.
inline constexpr Rank kSafe = std::numeric_limits<Rank>::min();

/// What an order may look at beside the job.
struct OrderView {
  const PolicySpec& policy;
  const RunTimes& run_times;
  Time now;
  Duration restart_cost;  // run time that being stopped costs a job
};

/// How a running job stands against waiting ones, until when.
struct Standing {
  Rank rank = 0;
  Time until = Time::max();
};

/// Which job is next: the seam of a policy's order. One file pair per order; stateless, shared.
/// Equal ranks go by submission.
class Order {
 public:
  virtual ~Order() = default;

  /// Of a waiting job. Changes only when a belief about its batch does, and moves() says so.
  virtual Rank rank(const Job& job, const OrderView& view) const = 0;

  /// Of a running job. Where running jobs are not preempted by this order it does not matter.
  virtual Standing standing(const Job& job, const OrderView& view) const {
    return {rank(job, view), Time::max()};
  }

  /// Whether another belief about the job's batch makes its members stand elsewhere.
  virtual bool moves(const Job& /*job*/, const RunTimes::Belief& before,
                     const RunTimes::Belief& after) const {
    return before != after;
  }

  /// Running jobs that stand beyond this may be stopped for a waiting one of `rank` with
  /// `gpu_milli`. Grows with the rank.
  virtual Rank bar(Rank rank, std::int64_t /*gpu_milli*/, const OrderView& /*view*/) const {
    return rank;
  }
};

const Order& order_of(PolicySpec::Order order);

/// Run time so far, of the attempt that goes on included.
inline Duration attained(const Job& job, Time now) {
  return job.ran + (is_placed(job.state) ? now - job.attempt_started_at : Duration{0});
}
/// Run time so far by which past runs tell what is still to come: what checkpoints keep. Of a job
/// that keeps nothing it is all that it ever ran, else two such jobs would stop each other in turn
/// and neither get further.
inline Duration age_of(const Job& job) {
  return job.spec->checkpoint.interval.value_or(Duration{0}).ns > 0 ? job.kept : job.ran;
}
/// The same, the attempt that goes on included.
inline Duration age_of(const Job& job, Time now) {
  return age_of(job) + (is_placed(job.state) ? now - job.attempt_started_at : Duration{0});
}

}  // namespace gyre::reason
