#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "domain/cluster.h"
#include "domain/command.h"
#include "domain/job_table.h"
#include "domain/policy.h"
#include "domain/trial.h"
#include "domain/wait_reason.h"
#include "reason/fairness/fair_share.h"
#include "reason/line.h"
#include "reason/placement/demand.h"
#include "reason/placement/placer.h"
#include "reason/question.h"
#include "reason/queueing/estimate.h"
#include "reason/queueing/order.h"
#include "reason/queueing/run_times.h"

namespace gyre::reason {

class Merge;
struct Beneficiary;
struct Room;

/// How the scheduler's decisions take effect, at once: what it decides next already counts on them.
class Actions {
 public:
  virtual ~Actions() = default;
  /// The job starts there; its allocation is already taken from the cluster.
  virtual void start(JobId job, std::vector<TaskPlacement> placement, StartRule rule) = 0;
  /// The victim is to be stopped so that the beneficiary may start.
  virtual void evict(JobId victim, JobId beneficiary) = 0;
};

/// What the scheduler may look at and change during one call. Owned by the controller.
struct Scene {
  Cluster& cluster;
  const JobTable& jobs;
  Time now;
  const ImageHolders& images;
};

/// Decides which waiting jobs start, where, and which running ones make room. Holds the lines of
/// all partitions; is told of every change by the controller. Pure and copyable.
///
/// A partition is worked off from its first job: what fits starts, until a job does not. For what
/// does not fit, jobs that stand behind it may be evicted; the room that they leave is claimed for
/// it. Then room is reserved for the first job without a claim (EASY backfill: Lifka, JSSPP 1995,
/// with the placement protected, not only a count), and later jobs may overtake if they do not
/// delay it.
class Scheduler {
 public:
  const PolicySpec& policy() const { return policy_; }
  void set_policy(const PolicySpec& policy, Scene scene);

  /// To be stopped and started again takes a job so long, as far as that was measured.
  void restart_takes(Duration measured);
  /// Run time that being stopped costs a job: what the policy says, or what was measured where that
  /// is more.
  Duration restart_cost() const { return std::max(policy_.restart_cost, restart_measured_); }

  /// What tenants usually ask for is now this; `learns()`: placement wants to know.
  void learn(std::vector<DemandKind> mix);
  bool learns() const { return placer_.learns(); }

  /// A queue is there or has another quota. Requires: its parent, if any, is there and in the same
  /// partition.
  void set_queue(const QueueSpec& queue, PartitionId partition, Scene scene);

  /// A node joined the fleet, or went down or came up.
  void fleet_joined(NodeId id, const NodeSpec& spec, Scene scene);
  void fleet_changed(NodeId id, bool up, Scene scene);

  /// Takes the lines as they are: no cycle is due. For a restored controller.
  void settle();

  /// The batch of a job that is submitted now; 0 where the policy does not learn.
  JobId batch_for(const JobSpec& spec, JobId job, Time now);
  /// False if the job could never run; it is not in line then.
  bool enqueue(const Job& job, PartitionId partition, Scene scene);
  void withdraw(const Job& job, PartitionId partition, Scene scene);
  void job_placed(const Job& job, PartitionId partition, Time now);
  /// Where one task of a placed gang could be by itself while the others stay where they are: on a
  /// node that has none of them, as near to task 0 as it is to be to the others; nullopt: nowhere.
  /// Nobody who waits is considered. O(node states); with topology, and with placement rules,
  /// O(nodes).
  std::optional<TaskPlacement> place_for_task(const Job& job, std::int32_t rank,
                                              PartitionId partition, Scene scene);
  /// That task is where job.placement says now; what is kept for others is to be found anew.
  void task_placed(const Job& job, std::int32_t rank, PartitionId partition);
  /// Some or all of a job's resources were released. `gone`: it holds nothing any more.
  void job_released(const Job& job, PartitionId partition, bool gone, Time now);
  /// The job is on its way out: its end is now expected after its grace.
  void job_stopping(const Job& job, PartitionId partition, Time now);
  /// The job waits, but not in line.
  void job_held(const Job& job);
  /// The job is over for good. `total`: the run time that it took, if that is known by now.
  void job_over(const Job& job, PartitionId partition, std::optional<Duration> total, Scene scene);

  /// Works off every partition with something stale. Returns its work, in node states and jobs
  /// looked at: once that is `work_max` no other step is begun, and the rest is left to the next
  /// cycle, which goes on from there. A step is what one job takes that is looked at: O(nodes that
  /// are not alike + jobs that run), its own tasks, and with quotas O(jobs that run * queues).
  std::int64_t cycle(Scene scene, std::int64_t work_max, Actions& actions);

  /// When a cycle is due though nothing happens: at once where the last one ran out of work, else
  /// when running jobs stand otherwise, or a waiting one has waited too long.
  std::optional<Time> next_wakeup(Time now) const;
  /// True if the last cycle ran out of work.
  bool has_leftover() const;

  /// When the job has waited in all for as long as one may; Time::max() for never.
  Time starves_at(const Job& job) const;

  /// True if a job that asks for this could run on the fleet, were all nodes up and empty.
  bool fits_ever(const GangRequest& request, PartitionId partition) const;

  /// Jobs that hold an allocation.
  std::vector<JobId> placed(PartitionId partition) { return line(partition).running.ids(); }

  /// Why the job does not run. Requires: it is queued, and no cycle is due.
  Explanation explain(const Job& job, PartitionId partition, const Cluster& cluster,
                      const JobTable& jobs, Time now) const;

  std::vector<Reservation> reservations() const;
  /// The same, one by one.
  template <class Visitor>
  void for_each_reservation(Visitor&& visit) const {
    for (const Line& line : lines_) {
      if (line.reservation) visit(*line.reservation);
      for (const auto& [job, claim] : line.claims) visit(claim.room);
    }
  }
  /// Another number whenever these have become others; of no meaning by itself.
  std::uint64_t reservations_version() const { return reservations_version_; }
  /// The nodes where up to `count` more jobs like it would start now, were they the first in line,
  /// each once, ascending. Adds the node states that it looks at to `work`. O(count * node states).
  std::vector<NodeId> room_for(const JobSpec& spec, std::int32_t count, PartitionId partition,
                               Scene scene, std::int64_t& work);
  void restore_reservation(const Reservation& reservation, const Job& job, PartitionId partition,
                           const Cluster& cluster);
  void restore_admission(const Admission& admission, PartitionId partition, Scene scene);
  std::int64_t last_admission() const { return last_admission_; }
  void restore_last_admission(std::int64_t place) { last_admission_ = place; }
  FairShare& fair_share() { return fair_; }
  const FairShare& fair_share() const { return fair_; }
  /// Since the core was made or restored. O(partitions).
  PredictionFallbacks prediction_fallbacks() const;
  RunTimeHistory run_times() const { return run_times_.state(); }
  Result<void> restore_run_times(const RunTimeHistory& state) { return run_times_.restore(state); }

 private:
  struct Eviction;
  struct Lot;
  struct Pass;

  /// One partition's turn within one cycle.
  struct Turn {
    PartitionId partition;
    Line& line;
    Scene scene;
    Actions& actions;
    std::int64_t& work;
    std::int64_t work_max;
    Ground ground;  // where room is looked for
    Question question() const {
      return {ground.cluster, scene.jobs, ground.placer, scene.now, work, work_max, scene.images};
    }
    Asker asker(JobId job) const { return reason::asker(job, scene.jobs, scene.images); }
    Demand::Failure failure() const {
      return {ground.id, ground.cluster.growth(partition) + line.unheld};
    }
    bool spent() const { return work >= work_max; }
    Effort effort() const { return {work, work_max}; }
    Turn on(Prospect& prospect) const {
      return {partition,
              line,
              scene,
              actions,
              work,
              work_max,
              {prospect.cluster(), prospect.placer(), prospect.made()}};
    }
  };

  /// Jobs that quotas let into a line before they start: few while no GPU is free, else so many as
  /// what may overtake is to be found among.
  static constexpr std::size_t kInLineFew = 8;
  static constexpr std::size_t kInLineMax = 64;
  /// What a start, a stop, or a review of a standing costs, in node states.
  static constexpr std::int64_t kActWork = 16;

  OrderView view(Time now) const { return {policy_, run_times_, now, restart_cost()}; }
  bool learns_run_times() const { return policy_.durations == PolicySpec::Durations::Learned; }
  OrderKey key_of(const Job& job, const Line& line) const;
  Waiting entry_of(const Job& job, std::uint32_t demand, const Line& line) const;
  Running::Outlook outlook_of(const Job& job, Time now);
  /// Of a partition's line, so that an event which does not concern the line passes it by.
  struct Due {
    Time look;                // when a cycle is to look at it; Time{}: it may have changed
    Time wake = Time::max();  // when one is due though nothing happens
  };

  /// To be changed: the next cycle looks at it.
  Line& line(PartitionId partition);
  static Time wake_of(const Line& line);
  static Due due_of(const Line& line);
  bool has_leftover(PartitionId partition) const;
  void sync_partitions(const Cluster& cluster);

  void use_placer();
  void assess(Demand& demand) const;
  void reassess(PartitionId partition, const Cluster& cluster);
  /// The job joins the line, in the place that is its now, or waits at the gate.
  void line_up(const Job& job, std::uint32_t demand, Time now, Line& line);
  void enter(const Waiting& entry, Line& line);
  /// As entry_of(), at its place in the policy's order.
  Waiting ordered_entry_of(const Job& job, std::uint32_t demand, const Line& line) const;
  void job_counts(const Job& job);
  /// Those in line wait at the gate again. Returns how many they are.
  std::int64_t empty_line(PartitionId partition, Scene scene);
  /// Lets those into the line who are next by their queues' quotas. False if nobody was.
  bool restock(PartitionId partition, Scene scene, const Effort& effort);
  bool leave(const OrderKey& key, std::uint32_t demand, Line& line);
  void no_longer_waits(const Job& job, Line& line) const;
  void drop_claim(JobId job, Line& line);
  void drop_claims(Line& line);
  void claim(const Waiting& entry, const Reservation& room, Line& line);
  void reserve_in(Line& line, std::optional<Reservation> room);
  void learn_run_time(const Job& job, Duration total, PartitionId partition, Scene scene);
  void join_lot(const Job& job, PartitionId partition, Scene scene, std::size_t first,
                std::vector<Lot>& lots);
  void move(const Lot& lot, const JobTable& jobs, Line& line);
  void move_running(const std::vector<const Job*>& jobs, bool alike, Time now, Line& line);

  void start(const Waiting& entry, std::vector<TaskPlacement> placement, StartRule rule,
             Turn& turn);
  std::optional<Demand> narrowed(const Waiting& entry, const Reservation* beside,
                                 const Turn& turn) const;
  bool try_start(const Waiting& entry, StartRule rule, Turn& turn);
  bool try_start_beside(const Waiting& entry, Turn& turn);
  bool start_claimed(Turn& turn);
  bool start_heads(const Turn& among);
  void look_at(PartitionId partition, Scene scene, const Effort& effort, Actions& actions);
  void review(PartitionId partition, Scene scene, const Effort& effort);
  void work_off(Turn& turn);
  void make_way(Turn& turn, const Waiting* only, const std::optional<OrderKey>& after);
  std::vector<Eviction> choose_evictions(const Turn& among, Merge& merge, bool greedy);
  std::optional<Room> make_room_by_quota(const Waiting& entry, Turn& turn, Trial& trial,
                                         bool blocked);
  std::optional<Room> make_room_by_rank(const Beneficiary& who, Turn& turn, Pass& pass);
  std::optional<Room> search_room(const Beneficiary& who, Turn& turn, Pass& pass);
  static Reservation kept_for(JobId job, const Room& room, const Turn& turn);

  Turn without_claims(const Turn& turn, std::optional<Trial>& trial) const;
  Turn after_leave(const Turn& turn, std::optional<Trial>& trial) const;
  void follow_unclaimed(const Turn& turn) const;
  bool keeps_prospects() const;
  void backfill(Turn& turn, bool one_arrival, const std::optional<OrderKey>& after);
  void backfill_one(const Waiting& entry, Turn& turn);
  void backfill_all(Turn& turn, const std::optional<OrderKey>& after);
  void backfill_by_plan(Turn& turn, const std::optional<OrderKey>& after);
  std::optional<Reservation> reserve_for(const Waiting& entry, Turn& turn);
  bool is_kept_out(const Waiting& entry, Turn& turn);
  std::optional<Reservation> pass_those_kept_out(Turn& turn, const std::optional<OrderKey>& after);

  PolicySpec policy_ = named_policies().back();
  Duration restart_measured_{0};
  RunTimes run_times_;
  FairShare fair_;
  std::int64_t last_admission_ = 0;
  Placer placer_;
  DemandTable demands_;
  std::vector<Line> lines_;  // by PartitionId
  std::vector<Due> dues_;    // the same
  Due soonest_;              // of all
  NodeParts grouped_;        // what tasks of groups hold
  Cluster empty_;            // the fleet with nothing on it
  Cluster empty_up_;         // the same, without the nodes that are down
  std::uint64_t fleet_version_ = 1;
  std::uint64_t reservations_version_ = 1;
  std::uint64_t absurd_estimates_ = 0;
};

/// What a job asks for, for a person: "2 nodes with 8 H100 GPUs each, all in one rack".
std::string describe(const GangRequest& request);

}  // namespace gyre::reason
