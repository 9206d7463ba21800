#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/job.h"
#include "domain/run_time_history.h"

namespace gyre::reason {

/// Logarithmic steps, four to the factor of two: 0 below 1, then 1 + 4 log2(x) with linear steps
/// between powers of two. Exact on every machine.
std::int64_t log_step(double value);
/// The least value of a step.
double log_step_begin(std::int64_t step);

/// Run times learned from runs that are over, by what is known of a job when it is submitted.
///
/// Jobs of one *kind* (tenant, queue, name without digits, tasks) that are submitted within a
/// minute of one another form a *batch*: a sweep, most often, whose members take about equally
/// long. A batch starts with what its kind is believed to take, as one run's worth of evidence, and
/// learns from its own members; in JobId{}, no batch, nobody learns. A kind leans on its queue and
/// size in the same way, these on size
/// alone, and that on a log-uniform guess (hierarchical Dirichlet smoothing; MacKay and Peto,
/// 1995). Beliefs are histograms over log_step(seconds) in which each run fades as others follow.
///
/// Pure, copyable, deterministic. Bounded: batches that nobody is in are dropped once their kind
/// has a newer one, and of kinds the least recently used beyond kKindsMax.
class RunTimes {
 public:
  static constexpr std::size_t kBuckets = 112;
  static constexpr std::size_t kKindsMax = 10'000;

  /// What a decision asks about a member that has run for some time already.
  struct Belief {
    /// The least expected run time per expected end that any allotment gives, in seconds: the
    /// inverse of Gittins' index (Gittins 1979; for clusters: Tiresias, NSDI 2019).
    double gittins_s = 0;
    double median_s = 0;  // of what is left

    bool operator==(const Belief&) const = default;
  };

  /// The batch that a job submitted now belongs to.
  JobId batch_for(const JobSpec& spec, JobId job, Time now);
  /// The job is a member of its batch that has run for `age`; says so again when that is in another
  /// step.
  void join(const Job& job, Duration age);
  void leave(const Job& job);

  /// How often a member came to have run for longer than all that its batch knows of.
  std::uint64_t unseen() const { return unseen_; }

  /// Of members of the job's batch that have run for `age`. O(1) amortised, else O(buckets).
  const Belief& belief(const Job& job, Duration age) const;
  /// The run time that a share of `q` of such jobs do not exceed, given that they exceed `age`.
  Duration quantile(const Job& job, Duration age, double q) const;

  /// Whether enough runs like it are over for quantiles to say something: 3 of its kind, or 10 of
  /// its queue and size.
  bool knows(const JobSpec& spec) const;

  /// Whether a belief has become another in a way that matters.
  using Matters = std::function<bool(const Belief& before, const Belief& after)>;

  /// Learns that the job was over after `total`. Beliefs stay as they were until refresh(). Returns
  /// the members whose belief will change so that it matters: those of each step that one of the
  /// batch has reached, ascending. O(buckets) for each step, and the members that are returned.
  std::vector<std::vector<JobId>> observe(const Job& job, Duration total,
                                          const Matters& matters = differ);
  void refresh(JobId batch);

  /// The first run time after `age` at which a belief may differ.
  static Duration next_change(Duration age);

  RunTimeHistory state() const;
  /// Errors: a histogram of another size.
  Result<void> restore(const RunTimeHistory& state);

 private:
  using Weights = std::array<std::uint32_t, kBuckets>;
  struct Level {
    Belief belief;
    std::vector<JobId> members;  // ascending
  };
  struct Batch {
    Weights weights{};
    std::map<std::int64_t, Level> levels;  // by bucket of the run time so far; with members only
    std::string kind;
  };
  struct Kind {
    Weights weights{};
    JobId batch;
    Time used_at;
  };

  static bool differ(const Belief& before, const Belief& after) { return before != after; }
  static std::array<std::string, 4> kinds_of(const JobSpec& spec);
  Weights prior(const JobSpec& spec) const;
  static void take_out(Batch& batch, JobId job);
  static Belief assess(const Weights& weights, std::int64_t step);
  void forget(JobId batch);
  void forget_kinds();

  std::uint64_t unseen_ = 0;
  std::map<JobId, Batch> batches_;
  std::map<std::string, Kind> kinds_;
};

}  // namespace gyre::reason
