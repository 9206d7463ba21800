#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/result.h"
#include "control/controller.h"
#include "control/journal.h"
#include "domain/cluster.h"
#include "sim/script.h"

namespace gyre::sim {

/// Takes a journal's records in and keeps what no policy decided: what was submitted, how long each
/// run took and how it ended, what became of nodes and queues. Goes by events and commands alone,
/// so it does not matter which version decided, but for services. One thread.
class Recording {
 public:
  struct Job {
    Time submitted_at;
    Script::Job facts;
    Duration kept{0};               // by checkpoints, of a run that has not ended
    Duration at_least{0};           // that the run goes on for, at the least
    bool open = true;               // the last run has no end of its own
    std::optional<Time> gone_at{};  // of one that is pinned: told to end, or ended
  };

  /// As a start's latency: the attempt was over before all of its tasks ran.
  static constexpr Duration kNeverWhole = Duration::max();

  /// Incidents are counted since then; all of them without a time. `services`: replicas are jobs
  /// that are pinned. Which there are no record says, so a core is played beside: it must decide as
  /// the one that wrote the journal did.
  explicit Recording(std::optional<Time> since = std::nullopt, bool services = false)
      : since_(since) {
    if (services) core_.emplace(control::Config{});
  }

  /// Errors: Invalid, a record that cannot stand where it does; Unsupported, a service that is not
  /// asked for, or ids of jobs that jump.
  Result<void> take(const control::Record& record);
  /// After the last record: what still runs has run until then.
  void finish();

  std::vector<Job> jobs;  // by submission: job n is the n-th
  /// Runs that ended by themselves, by when: whose (an index of `jobs`), and its work.
  std::vector<std::pair<std::size_t, Duration>> runs_ended;
  std::vector<Event> events;  // what else came from outside, as recorded
  std::vector<NodeSpec> nodes;
  std::vector<QueueSpec> queues;  // as they were last, by when they came
  std::vector<Duration> start_latencies;
  std::vector<Duration> stop_latencies;
  EventSeq last_event;
  Time first_at;
  Time last_at;
  // Incidents, and what they cost.
  std::uint64_t failed_starts = 0;
  std::uint64_t lost_tasks = 0;
  std::uint64_t stalls = 0;
  std::uint64_t node_failures = 0;
  double lost_gpu_hours = 0;

 private:
  /// What a job holds at present.
  struct Attempt {
    std::int32_t number = 0;            // the latest
    std::vector<std::int32_t> numbers;  // each task's own, by rank, as all that follows
    std::vector<NodeId> nodes;
    std::vector<TaskState> tasks;
    Time commanded_at;
    std::optional<Time> running_at;  // all tasks
    std::optional<Time> told_at;     // to stop
    Termination told = Termination::None;
    std::optional<Time> broken_at;  // when it lost its first task
    TaskExit exit;                  // of the first task that ended badly, else of the last
  };

  Result<void> take(const Event& event);
  Result<void> take(const Command& command);
  Result<void> note(const Event& event);
  void follow_replicas(const control::Decisions& decisions);
  void pin();
  Result<void> submit(const JobSubmitted& event);
  void start(const StartGang& command);
  void replace(const ReplaceTask& command);
  void begin_window();
  void set_queue(const QueueSpec& queue);
  void lose(NodeId node);
  void task_started(const TaskStarted& event);
  void task_ended(const TaskEnded& event);
  void end_task(JobId id, std::size_t rank, const TaskExit& exit);
  void end_attempt(JobId id);
  Attempt* attempt_of(JobId id, std::int32_t number, std::int32_t rank);

  std::optional<Time> since_;  // until it has come
  std::optional<control::Controller> core_;
  Cluster cluster_;                // of nodes alone: which may join, which are up
  std::vector<Attempt> attempts_;  // by job: the latest
  std::set<JobId> placed_;         // jobs that hold something
};

}  // namespace gyre::sim
