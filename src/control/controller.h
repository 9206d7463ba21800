#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "domain/cluster.h"
#include "domain/command.h"
#include "domain/controller_state.h"
#include "domain/event.h"
#include "domain/job_table.h"
#include "domain/wait_reason.h"
#include "observe/ledger.h"
#include "observe/recent_durations.h"
#include "reason/healing/healer.h"
#include "reason/idle/idle_guard.h"
#include "reason/images/prefetcher.h"
#include "reason/scaling/services.h"
#include "reason/scheduler.h"

namespace gyre::control {

/// Limits of the core. Each is a bound, not a tuning knob.
struct Config {
  std::size_t jobs_waiting_max = 1'000'000;     // a submission beyond it is refused by the server
  std::size_t jobs_finished_kept_max = 10'000;  // the oldest are forgotten first
  std::int64_t cycle_work_max = kCycleWorkDefault;  // node states looked at in one cycle, at first
};

/// The core's answer to one event.
struct Decisions {
  Commands commands;
  std::vector<Transition> transitions;
};

/// What a submission would lead to, were it made now.
struct Plan {
  bool starts_now = false;
  StartRule rule = StartRule::HeadOfLine;  // if it starts now
  std::vector<TaskPlacement> placement;    // if it starts now
  std::vector<JobId> preempts;             // jobs that would be stopped for it
  Explanation waiting;                     // if it does not start now
};

/// The decision core. Pure: no clock, no I/O, no threads, no globals; the same events give the same
/// commands on every machine. Copyable, so it can be forked. Total: no event makes it fail; one
/// that makes no sense (an unknown job, a stale attempt) changes nothing. Not thread-safe.
class Controller {
 public:
  explicit Controller(const Config& config);

  /// Continues where `state` was taken. Errors: the state contradicts itself (a job on an unknown
  /// node, two jobs on one device).
  static Result<Controller> restore(const Config& config, const ControllerState& state);

  /// Requires: `event.at` is not before, and `event.seq` is after, every event so far. The answer
  /// is valid until the next call. O(jobs started + node classes looked at), within cycle_work_max.
  const Decisions& step(const Event& event);

  /// When the core wants a Tick at the latest; nullopt: it waits for nothing.
  std::optional<Time> next_wakeup() const;

  /// True if the last step ran out of work and another is due at once. A state taken meanwhile
  /// continues with a new pass over the lines, not where the last one stopped.
  bool has_leftover() const { return scheduler_.has_leftover() || !services_due_.empty(); }

  ControllerState state() const;
  /// Node states that the last step looked at to decide, and may look at.
  std::int64_t last_work() const { return last_work_; }
  std::int64_t work_max() const { return config_.cycle_work_max; }

  Time now() const { return now_; }
  EventSeq last_event() const { return seq_; }
  const PolicySpec& policy() const { return scheduler_.policy(); }
  const JobTable& jobs() const { return jobs_; }
  const Cluster& cluster() const { return cluster_; }
  const std::vector<QueueSpec>& queues() const { return queues_; }
  /// What a queue's jobs use now and have used.
  reason::FairShare::View queue_use(const std::string& queue) const {
    return scheduler_.fair_share().view(queue);
  }
  /// Predictions that decisions could not go by, since the core was made or restored.
  reason::PredictionFallbacks prediction_fallbacks() const {
    return scheduler_.prediction_fallbacks();
  }
  /// What is kept for the first of each line that waits. O(their tasks).
  std::vector<Reservation> reservations() const { return scheduler_.reservations(); }

  /// What nodes have shown and what was done about it.
  const reason::Healer& healer() const { return healer_; }

  /// What is wanted of services, and how far it is.
  const reason::Services& services() const { return services_; }

  /// What jobs have held, and what that costs.
  const observe::Ledger& ledger() const { return ledger_; }
  Charge charge_of(const Job& job, Time now) const {
    return ledger_.charge_of(job, cluster_, std::max(now, now_));
  }
  Money rate_of(const Job& job) const { return ledger_.rate_of(job, cluster_); }

  /// How long the latest jobs that were told to stop took to be gone.
  const observe::RecentDurations& recent_stops() const { return stops_; }
  /// How long the latest attempts took from being placed until all of their tasks ran. None of
  /// those that took no time: of a simulation where starts take none.
  const observe::RecentDurations& recent_starts() const { return starts_; }
  /// Run time that being stopped costs a job, as decisions go by it: the policy's `restart_cost`,
  /// or the medians of stops and starts where they are more.
  Duration restart_cost() const { return scheduler_.restart_cost(); }

  /// Which nodes hold which images, as they say.
  const ImageHolders& images() const { return images_; }

  /// Who has been warned for not using GPUs.
  const reason::IdleGuard& idle() const { return idle_; }
  /// Whether a job may be stopped for that: a replica may not, nor who is in an exempt queue.
  bool is_exempt_from_idle(const Job& job) const;

  /// Whether `spec` would be accepted. Errors: as check(), of its replicas; Invalid (its own
  /// rules), Conflict (too many services).
  Result<void> check(const ServiceSpec& spec) const;

  /// Why a queued job does not run. Requires: it is queued.
  Explanation explain(const Job& job) const;

  /// Whether `spec` would be accepted. Errors: Invalid (its own rules, an unknown queue), NeverFits
  /// (with the best node there is). O(distinct node shapes).
  Result<void> check(const JobSpec& spec) const;

  /// What submitting `spec` now would lead to, found by submitting it to a copy. Errors: as
  /// check().
  Result<Plan> plan(const JobSpec& spec) const;

  /// Forgets all jobs that have ended, each one that ends from now on, and what all that costs: for
  /// a copy that is played ahead. O(jobs that have ended).
  void forget_ended();

  /// Commands whose outcome has not been seen, under the ids that they have in the journal: what a
  /// world that starts afresh must be told again.
  Commands outstanding() const;

 private:
  class Act;

  Result<void> check_groups(const JobSpec& spec) const;
  /// The job is one of its group's that wait or run; it is one no more.
  void join_group(const JobSpec& spec);
  void leave_group(const JobSpec& spec);

  void on(const Tick&) {}
  void on(const PolicySet& event);
  void on(const QueueSet& event);
  void on(const NodeJoined& event);
  void on(const NodeLost& event);
  void on(const NodeReturned& event);
  void on(const NodeDutySet& event);
  void on(const NodeContact& event);
  void on(const JobSubmitted& event);
  void on(const JobStopRequested& event);
  void on(const TaskStarted& event);
  void take_start(const TaskStarted& event);
  void on(const TaskEnded& event);
  void on(const HealingSet& event);
  void on(const GpuErrorSeen& event);
  void on(const GpuHealthSeen& event);
  void on(const OrphansEnded& event);
  void on(const TaskStalled& event);
  void on(const StoreHealed& event);
  void on(const RepairEnded& event) { heal(healer_.repair_ended(event, now_)); }
  void on(const WorkBudgetSet& event);
  void on(const ServiceApplied& event) {
    services_.apply(event.spec, now_);
    services_due_.insert(event.spec.replica.name);
  }
  void on(const ServiceDeleted& event) { services_.remove(event.service); }
  void on(const ServiceLoadSeen& event) { services_.load(event); }
  void on(const ReplicaProbed& event);
  void on(const PriceSet& event);
  void on(const IdleSet& event);
  void on(const GpuUseSeen& event);
  void on(const NodeImagesSeen& event);

  reason::Scene scene() { return {cluster_, jobs_, now_, images_}; }
  std::optional<PartitionId> partition_of(const JobSpec& spec) const;
  PartitionId partition_of(const Job& job) const { return *partition_of(job.spec); }

  CommandId emit(decltype(Command::body) body);
  void set_state(Job& job, JobState to, Termination cause);
  /// `total`: the run time that the job took, if it ended by itself.
  void end(Job& job, JobState final_state, Termination cause,
           std::optional<Duration> total = std::nullopt);
  void submit(Job&& fresh);
  void work_on_services();
  std::int32_t with_image(const Job& job) const;
  void count_container(const Job& job, int by);
  void look_at_services(const std::function<bool(const Service&)>& which);
  void prefetch_images();
  void prefetch_for_waiting();
  void prefetch_for_services();
  void prefetch_for(const Service& service);
  void prefetch(NodeId node, JobId job, ImageId image);
  void forget_oldest();
  void queue(Job& job);
  void learn(const JobSpec& spec);
  void fire_timers();
  void fire_timer(Job& job);

  template <class Change>
  void change_node(NodeId id, Change apply) {
    const bool before = cluster_.node(id).open();
    apply(id);
    const bool after = cluster_.node(id).open();
    if (before != after) scheduler_.fleet_changed(id, after, scene());
  }
  /// `incident`: that it is for; 0: none.
  void drain(NodeId id, std::uint64_t incident = 0);
  void see(NodeId node, const reason::Healer::Sign& sign);
  void heal(const reason::Healer::Changes& changes);
  void put_back(NodeId node);
  void wake_healer();
  void repair_nodes();
  bool is_empty(NodeId id);
  void note_interruption(const Job& job);
  void place(JobId id, std::vector<TaskPlacement> placement, StartRule rule);
  void preempt(JobId victim, JobId beneficiary);
  void stop(Job& job, Termination cause);
  void end_task(Job& job, std::int32_t rank, TaskExit exit);
  bool replace_task(Job& job, std::int32_t rank, TaskExit& exit);
  void put_elsewhere(Job& job, const TaskPlacement& place, const TaskExit& exit);
  void task_runs(Job& job);
  void finish_attempt(Job& job);
  void book_run_time(Job& job);
  void book_stop(const Job& job);
  void book_start(const Job& job);
  void weigh_restarts();
  void retry_or_fail(Job& job, Duration total);
  Result<void> adopt(const Job& saved);
  Result<void> resume_queues(const ControllerState& state);
  void restore_images(const ControllerState& state);
  void order_finished();

  Config config_;
  std::int64_t last_work_ = 0;
  Time now_;
  EventSeq seq_;
  CommandId last_command_;
  Cluster cluster_;
  JobTable jobs_;
  std::vector<QueueSpec> queues_;
  std::unordered_map<std::string, PartitionId> queue_partitions_;  // looked up, never walked
  reason::Scheduler scheduler_;
  std::set<std::pair<Time, JobId>> timers_;           // holds and deadlines
  std::map<JobId, std::set<JobId>> making_room_;      // beneficiary -> jobs being preempted for it
  std::unordered_map<GroupId, std::int64_t> groups_;  // jobs that wait or run; looked up only
  DemandMix demand_mix_;                              // learned while placement wants it
  reason::Healer healer_;
  reason::Services services_;
  observe::Ledger ledger_;
  reason::IdleGuard idle_;
  ImageHolders images_;
  reason::Prefetcher prefetcher_;
  std::size_t containers_ = 0;                // jobs that name an image and are not over
  std::uint64_t reservations_looked_at_ = 0;  // their version; 0: something else has changed
  std::set<std::string> services_due_;        // whose next replicas may go to another place now
  std::string service_looked_at_;             // the latest of these that was looked at
  std::deque<JobId> finished_;                // by time of ending
  observe::RecentDurations stops_;
  observe::RecentDurations starts_;
  Decisions decisions_;
};

}  // namespace gyre::control
