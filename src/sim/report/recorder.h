#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "control/driver.h"
#include "reason/placement/fragmentation.h"
#include "sim/report/report.h"
#include "sim/script.h"
#include "sim/workload.h"

namespace gyre::sim {

/// Mean and percentiles by nearest rank: p50 is the least value that half of all do not exceed.
/// Sorts `spans`. O(n log n).
Spread spread_of(std::vector<Duration>& spans);

/// Watches a run and keeps what a report says of it. Time between events counts with the state that
/// the former left. One thread.
class Recorder final : public control::Observer {
 public:
  struct Inputs {
    std::string policy;
    const Workload& workload;           // outlives the recorder
    const Trace& trace;                 // the same
    std::uint64_t events_expected = 0;  // with the next, sets how often the cluster is sampled
    Time last_arrival;
    bool keep_jobs = false;
    /// Figures are of this time on, and of jobs that had not ended by then: with all of the time
    /// that they wait and take, but waits of those only that start in it.
    Time measured_from{};
    Duration starve_after{0};        // of the policy; 0: never
    const Script* script = nullptr;  // whose pinned jobs are in no figure; outlives the recorder
  };
  explicit Recorder(Inputs inputs);

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;

  std::uint64_t jobs_done() const { return done_; }
  /// What the run was, but for what only the world or the surroundings know.
  PolicyResult result();

 private:
  /// A placed gang of several tasks: they may give back what they hold one by one.
  struct Gang {
    std::vector<std::int32_t> attempts;  // by rank, as all that follows
    std::vector<NodeId> nodes;
    std::vector<std::int64_t> milli;  // what it still holds
  };
  /// A value over time, as an integral.
  struct Level {
    std::int64_t value = 0;
    std::int64_t peak = 0;
    double area = 0;  // value * seconds, up to the last change
    Time changed_at;

    void change(std::int64_t by, Time at);
  };

  void begin_measuring();
  bool counts(const JobOutcome& job) const;
  bool is_pinned(const JobOutcome& job) const;
  std::vector<JobOutcome> counted() const;
  void pass_time(Time until);
  void take(const Transition& transition);
  void take(const StartGang& start);
  void take(const ReplaceTask& anew);
  void end_task(JobId job, std::int32_t attempt, std::int32_t rank);
  void lose_node(NodeId node, const Cluster& cluster);
  void note_rejection(JobId job, const control::Controller& core);
  std::optional<Rejection> most_frequent_rejection() const;
  void count_ends(PolicyResult& result) const;
  void count_waits(PolicyResult& result) const;
  double bounded_slowdown() const;
  void sample(const Cluster& cluster);
  bool sample_is_due() const;
  SeriesPoint point() const;

  Inputs inputs_;
  reason::Fragmentation fragmentation_;
  std::vector<JobOutcome> outcomes_;  // by submission
  bool measuring_ = false;
  Time now_;
  Time active_until_;  // the last time a job got or gave back resources
  Level allocated_;    // milli-GPUs that tasks hold
  std::map<JobId, Gang> gangs_;
  /// By queue and gang of the workload, which it is the same for.
  std::map<std::pair<std::uint32_t, std::uint32_t>, Rejection> rejections_;
  std::int64_t capacity_milli_ = 0;  // of all nodes
  std::int64_t up_milli_ = 0;
  std::uint64_t done_ = 0;
  std::uint32_t waiting_ = 0;
  std::uint32_t placed_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t events_at_sample_ = 0;
  std::uint64_t samples_ = 0;
  Time sampled_at_;
  reason::Fragmentation::Sum fragmented_;  // as of the last sample
  double fragmented_milli_area_ = 0;       // amount * seconds
  double fragmented_area_ = 0;             // ratio * seconds
  double fragmented_s_ = 0;
  std::vector<SeriesPoint> series_;
};

}  // namespace gyre::sim
