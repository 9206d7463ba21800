#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

#include "base/shared.h"
#include "control/world.h"
#include "domain/policy.h"
#include "sim/faults/failure_model.h"
#include "sim/script.h"
#include "sim/traces/fleet.h"
#include "sim/traces/trace.h"
#include "sim/workload.h"

namespace gyre::sim {

/// What a start and a stop cost. The trace knows nothing of it, so it is the caller's to say.
struct ExecutionOptions {
  Duration start_latency{0};     // from the command to every task running
  Duration stop_latency{0};      // from the command to the tasks' end; at most the job's grace
  Duration restart_overhead{0};  // added to the work of every attempt but the first
  /// Of jobs whose trace gives none; nullopt: none.
  std::optional<Duration> checkpoint_interval = std::nullopt;
  /// Adds to `restart_overhead` 7 s for a job of one GPU, 30 s up to eight, 60 s above (Hu et al.,
  /// "Helios", SC 2021).
  bool restart_by_size = false;
  bool all_preemptible = false;  // whatever the trace says
};

/// A cluster that exists only in time: machines that fail, jobs that take as long as their trace
/// says. Job n of the core is the trace's n-th by submission; node n the fleet's n-th.
///
/// Work is the world's truth: a job ends when it has run for its duration, restart overhead apart.
/// A job with a checkpoint interval keeps its work up to the last whole interval of an attempt, and
/// all of it when it is preempted, since it is asked first. One without loses all at every stop.
/// A gang of which one task is started anew goes on from what it has kept once all of them run.
/// Outcomes at one instant come in the order of their commands, and before arrivals.
///
/// With a script jobs are what it says they were, and it alone says what nodes and queues there are
/// and when they change. `fleet` then has every node that ever joins.
///
/// Over when nothing can happen any more: no arrival, task or repair is left that could change
/// anything. Nodes fail by rate only while a job that can end runs or jobs are still to arrive;
/// with FailureModel::failures_max() of them the world is over too, whatever was still to come.
/// next() costs O(log pending), a node's failure O(running gangs).
class World final : public control::World {
 public:
  struct Inputs {
    const Trace& trace;  // outlive the world
    const Workload& workload;
    const Fleet& fleet;
    PolicySpec policy;
    ExecutionOptions execution;
    FailureModel failures;
    const Script* script = nullptr;  // outlives the world
  };
  explicit World(Inputs inputs);

  std::optional<Event> next(std::optional<Time> deadline) override;
  bool has_pending() const override;
  void committed(EventSeq) override {}
  void submit(const Command& command) override;

  /// The core has ended the job, or will never start it: nothing waits for it any more.
  void job_over(JobId) { --jobs_open_; }

  std::uint64_t events() const { return seq_; }
  std::uint64_t node_failures() const { return node_failures_; }
  /// When failures by rate ended it; nullopt: they did not.
  std::optional<Time> cut_short_at() const {
    return inputs_.failures.is_spent() ? std::optional(now_) : std::nullopt;
  }
  /// Work that was done and lost, and restart overhead.
  double lost_gpu_hours() const { return lost_gpu_hours_; }

 private:
  enum class Phase : std::uint8_t { Starting, Running, Stopping, Broken };

  /// One attempt of one job. Slots are reused; `generation` tells an old timer from a new one.
  struct Gang {
    JobId job;
    std::int32_t attempt = 0;  // the latest
    std::uint32_t generation = 0;
    Phase phase = Phase::Starting;
    bool in_use = false;
    bool stopped = false;        // it will end because it was told to
    bool asked_to_stop = false;  // shortly before its natural end
    Time started_at;
    Time ends_at;                        // its natural end; Time::max() for none
    std::vector<NodeId> nodes;           // by rank, as all that follows
    std::vector<std::int32_t> attempts;  // each task's own
    std::vector<std::uint8_t> alive;
    std::vector<std::uint8_t> told;  // that it has started
  };
  /// What is left of a job between its attempts.
  struct Progress {
    Duration done{0};
    std::size_t run = 0;       // of its script's
    std::int32_t attempt = 0;  // the latest
    std::uint32_t gang = kNoGang;
  };
  struct Timer {
    Time at;
    std::uint64_t order = 0;
    std::uint32_t gang = 0;
    std::uint32_t generation = 0;
    bool ends = false;  // else it starts
    bool operator>(const Timer& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  /// The tasks of a gang start, or end, at one instant: an event each.
  struct Burst {
    std::uint32_t gang = 0;
    std::uint32_t generation = 0;
    std::size_t rank = 0;
    bool ends = false;
  };
  static constexpr std::uint32_t kNoGang = 0xffffffff;

  template <class Body>
  std::optional<Event> stamp(Body&& body) {
    std::optional<Event> event(std::in_place);
    event->at = now_;
    event->seq = EventSeq{++seq_};
    event->body = std::forward<Body>(body);
    return event;
  }
  std::size_t introductions() const;
  std::optional<Event> introduction();
  std::optional<Event> next_of_burst();
  void begin_burst();
  bool bursts() const;
  std::optional<Event> task_ended(const Gang& gang, std::int32_t rank);
  std::optional<Event> arrival();
  Shared<JobSpec> spec_of(std::size_t index) const;
  std::optional<Event> change(const NodeChange& change);
  std::optional<Event> next_of_script();
  void lose(NodeId node);
  std::optional<NodeChange> next_change();

  void start(const StartGang& command);
  void stop(const StopGang& command);
  void replace(const ReplaceTask& command);
  Gang& add_gang(JobId job, Progress& progress);
  void add_task(const TaskPlacement& task, Gang& gang);
  void begin_if_whole(Gang& gang);
  static std::size_t next_due(const Gang& gang, const Burst& burst, std::size_t from);
  void break_gang(Gang& gang, std::size_t rank);
  void settle(const Gang& gang, bool saves_all);
  void cancel_timer(Gang& gang);
  void add_timer(Time at, const Gang& gang, bool ends);
  void release(Gang& gang);
  std::uint32_t index_of(const Gang& gang) const;
  const TraceJob& job_of(const Gang& gang) const { return inputs_.trace.jobs[gang.job.value - 1]; }
  const Script::Run* run_of(const Gang& gang) const;
  Duration work_of(const Gang& gang) const;
  Duration start_latency(const Gang& gang) const;
  Time next_script_time() const;
  Duration checkpoint_interval(const TraceJob& job) const;
  Duration overhead(const Gang& gang) const;

  Inputs inputs_;
  Time now_;
  std::uint64_t seq_ = 0;
  std::size_t introduced_ = 0;  // of policy, queues and nodes
  std::size_t arrived_ = 0;
  std::size_t scripted_ = 0;     // events of the script
  std::uint64_t jobs_open_ = 0;  // not over
  std::vector<std::uint8_t> node_up_;
  std::vector<Progress> progress_;  // by job
  std::vector<Gang> gangs_;
  std::vector<std::uint32_t> unused_gangs_;
  // Its first is always good: what is cancelled is dropped as it comes to the front.
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  std::uint64_t timer_order_ = 0;
  std::optional<Burst> burst_;
  std::uint64_t node_failures_ = 0;
  double lost_gpu_hours_ = 0;
};

}  // namespace gyre::sim
