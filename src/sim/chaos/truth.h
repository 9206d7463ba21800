#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "domain/chaos.h"
#include "domain/job.h"
#include "sim/chaos/task_key.h"
#include "sim/check/invariant.h"

namespace gyre::sim {

/// A job as its owner made it up.
struct ChaosJob {
  Duration submit{0};  // since the beginning
  JobSpec spec;
  Duration length{0};               // of its work
  std::optional<Duration> stop_at;  // when its owner stops it, if it is not over
};

/// What a replica of a service comes to once it runs.
enum class ReplicaFate : std::uint8_t { Good, NeverReady, Crashes };

/// The jobs of a scenario by their submission.
std::vector<ChaosJob> make_jobs(const ChaosSpec::Jobs& jobs, Duration lasts, CountRange fleet_nodes,
                                std::int64_t gpus_per_node, Rng rng);

/// True in so many of a hundred cases. One draw.
bool chance(std::int32_t percent, Rng& rng);

/// What a share of a scenario is once it has been drawn.
inline std::int32_t share(const CountRange& drawn) { return static_cast<std::int32_t>(drawn.min); }

/// An even draw. One draw, whatever the range.
std::int64_t draw(const CountRange& range, Rng& rng);
Duration draw(const SpanRange& range, Rng& rng);

/// What really runs where, whoever believes what; judges it. Also where checkpoints are kept.
class Truth {
 public:
  Truth(const std::vector<ChaosJob>& jobs, const ChaosSpec& spec, std::uint32_t nodes, Rng rng);

  /// The core's job is the n-th submission.
  void identify(JobId job, std::size_t submission) {
    submission_of_[job] = submission;
    fate_of_.erase(job);
  }
  /// The core's job is a replica of a service.
  void identify(JobId job, ReplicaFate fate) {
    fate_of_[job] = fate;
    submission_of_.erase(job);
  }

  struct Plan {
    Duration left{0};         // work
    TaskExit exit;            // how it will end by itself
    Duration ready_after{0};  // of a replica; max: never
  };
  Plan plan(JobId job);

  /// A task begins or ceases to run. `worked`: since it began, of `left`.
  void begin(const TaskKey& key, std::uint32_t node, const Order& order, Time now);
  void end(const TaskKey& key, std::uint32_t node, const Order& order, const TaskExit& exit,
           Duration worked, Time now);

  /// The core calls the job succeeded.
  void succeeded(const Job& job, Time now);

  void report(Invariant invariant, Time now, std::string detail);
  const std::vector<Violation>& violations() const { return violations_; }

 private:
  Plan plan(ReplicaFate fate);
  void use_devices(std::uint32_t node, const Order& order, int sign, Time now);

  const std::vector<ChaosJob>& jobs_;
  const std::int32_t fail_percent_;
  Rng rng_;
  const SpanRange warm_up_;
  std::map<JobId, std::size_t> submission_of_;
  std::map<JobId, ReplicaFate> fate_of_;
  std::vector<Duration> saved_;                                   // by submission
  std::map<std::pair<JobId, std::int32_t>, std::int32_t> alive_;  // by job and rank: how many run
  std::set<TaskKey> good_;                                        // those that ended well
  std::vector<std::array<std::int32_t, kGpusPerNodeMax>> used_;   // milli-GPUs by node and device
  std::vector<Violation> violations_;
};

}  // namespace gyre::sim
