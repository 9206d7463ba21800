#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "domain/cluster.h"
#include "domain/job.h"
#include "domain/job_table.h"
#include "domain/price.h"

namespace gyre::observe {

/// An amount at a price: millionths of a US dollar an hour in parts of 1,024,000, in which no price
/// of a share of a GPU, a core or a GiB leaves a rest. Times nanoseconds: what `Charge` rounds.
__extension__ using FineMoney = __int128;

/// What one task holds or asks for costs, on a node with GPUs of that model.
FineMoney rate_of(const PriceList& prices, const Allocation& held, std::string_view gpu_model);
FineMoney rate_of(const PriceList& prices, const Request& asked, std::string_view gpu_model);
/// Rounded down.
Money per_hour(FineMoney rate);
Money over(FineMoney rate, Duration time);

/// What jobs have held, at which prices, and what that comes to. What a task holds is charged from
/// its placement until it was over, by the prices that were in force meanwhile; nothing before
/// there was a price. The charge of one task's time grows with time and is rounded down to a
/// millionth of a dollar at each instant, so that parts of it add up to the whole.
///
/// Without a price it does nothing. The last kHeldMax times are kept as they were; older ones are
/// summed by hour, tenant and queue, the last kHoursMax of those; all bounds are in a state.
/// Pure; a value type; not thread-safe. Its state, with the jobs that hold something, is all there
/// is.
class Ledger {
 public:
  static constexpr std::size_t kHeldMax = 20'000;
  static constexpr std::size_t kHoursMax = 20'000;
  static constexpr std::size_t kPriceChangesMax = 1'000;  // the oldest are forgotten

  /// In force from `now` on.
  void set_prices(std::optional<PriceList> prices, const JobTable& jobs, const Cluster& cluster,
                  Time now);
  /// In force; nullptr: none.
  const PriceList* prices() const;
  /// Since when they are. Requires: some are in force.
  Time prices_since() const { return prices_.back().from; }

  /// The job has been placed: all its tasks hold something from now on.
  void placed(const Job& job, const Cluster& cluster);
  /// One of its tasks has been, by itself: it holds something from now on.
  void placed_anew(const TaskPlacement& task, const Cluster& cluster);
  /// A task gave back what it held; it had been over at `ended_at` (0: now).
  void gave_back(const Job& job, const TaskPlacement& task, const Cluster& cluster, Time ended_at,
                 Time now);
  /// The job is not asked for any more; what it was charged stays in sums.
  void forget(JobId job) { jobs_.erase(job); }

  /// Of all that the job has held until `now`. O(its tasks).
  Charge charge_of(const Job& job, const Cluster& cluster, Time now) const;
  /// What an hour of what it holds, and of what all jobs hold, costs at present prices; rounded
  /// down.
  Money rate_of(const Job& job, const Cluster& cluster) const;
  Money rate() const { return per_hour(rate_); }

  enum class By : std::uint8_t { Job, Tenant, Queue };
  struct Window {
    Time from;
    Time to;
  };
  struct Line {
    JobId job;         // by job; 0: of jobs that are no longer told apart
    std::string name;  // of the job, where it is still known, the tenant or the queue
    Charge charge;
  };
  struct Bill {
    std::vector<Line> lines;  // the dearest first
    Charge total;
    std::optional<Time> forgotten;  // nothing is known of what was held before
  };
  /// What was held in the window, up to `now`. Of the sums by hour those count whole whose hour
  /// begins in it. O(times and sums kept + tasks that hold something).
  Bill bill(By by, const Window& window, const JobTable& jobs, const Cluster& cluster,
            Time now) const;

  LedgerState state() const;
  /// Errors: times out of order.
  Result<void> restore(const LedgerState& state, const JobTable& jobs, const Cluster& cluster);

 private:
  Charge until(const HeldTime& held, Time to) const;
  Charge within(const HeldTime& held, const Window& window) const;
  void count_rate(const JobTable& jobs, const Cluster& cluster);
  void sum_up(const HeldTime& held);
  void bound();

  std::vector<PriceChange> prices_;  // by time
  std::deque<HeldTime> held_;
  std::map<JobId, Charge> jobs_;  // of what each has given back
  std::map<std::tuple<std::int64_t, std::string, std::string>, Charge> hours_;
  std::optional<Time> forgotten_;
  FineMoney rate_ = 0;  // of all that is held, by the prices in force; follows from the rest
};

}  // namespace gyre::observe
