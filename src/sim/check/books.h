#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/controller.h"
#include "domain/command.h"
#include "domain/event.h"
#include "sim/check/invariant.h"
#include "sim/check/quota_books.h"

namespace gyre::sim {

/// Who holds what, kept from events, commands and transitions alone and by other code than the
/// core's, and checked against every invariant on the way. For tests and `--check`: clear before
/// fast. One thread.
class Books {
 public:
  struct NodeBook {
    NodeSpec spec;
    std::array<std::int32_t, kGpusPerNodeMax> gpu_free{};  // milli-GPUs by device
    CpuMilli cpu_free{0};
    MemoryMib memory_free{0};
    bool up = true;
    NodeDuty duty = NodeDuty::Open;
    bool silent = false;
    bool quarantined = false;
    std::array<GpuHealth, kGpusPerNodeMax> gpu_health{};  // all well to begin with

    bool open() const {
      return up && duty == NodeDuty::Open && !silent && !quarantined && all_well();
    }
    bool all_well() const {
      return std::all_of(gpu_health.begin(), gpu_health.end(),
                         [](GpuHealth health) { return health == GpuHealth::Ok; });
    }
  };
  struct JobBook {
    std::string queue;
    bool preemptible = false;
    std::optional<Topology> topology;
    std::string tenant;
    std::optional<PlacementRules> rules;
    std::string group;             // by its rules
    std::vector<TaskGroup> tasks;  // empty once the job has ended
    JobState state = JobState::Queued;
    bool announced = false;          // its arrival in the queue was told
    bool preempted = false;          // and not gone yet, whoever else may have stopped it since
    JobId preempted_for;             // while it is; 0: for nobody
    bool repaired_in_place = false;  // a lost task is started anew by itself
    std::int32_t attempt = 0;        // the latest
    std::vector<TaskPlacement> placement;  // of the current gang
    std::vector<std::int32_t> attempts;    // the same, by rank
    std::vector<TaskState> ranks;
  };

  /// Takes in one event and the core's answer to it.
  void apply(const Event& event, const control::Decisions& decisions);

  /// After the last event: what must hold then.
  void finish();

  void report(Invariant invariant, std::string detail);
  const std::vector<Violation>& violations() const { return violations_; }

  /// Whether the nodes are known to be in one domain of the level; a node is with itself.
  bool together(TopologyLevel level, std::size_t a, std::size_t b) const;

  /// Which jobs count as holding something.
  enum class Holding : std::uint8_t { AllPlaced, AllNotStopping };
  /// Whether the job's placement rules allow a task of it on the node.
  bool may_take(const JobBook& job, NodeId node, Holding holding = Holding::AllPlaced) const;
  /// What is free once all jobs are gone that are being stopped. O(nodes + jobs placed).
  std::vector<NodeBook> nodes_once_stopped() const;
  /// Whether others are being stopped for that one.
  bool is_room_made_for(JobId id) const;
  /// How many tasks of each group are where.
  std::map<GroupId, std::map<NodeId, std::int32_t>> groups() const;

  const std::vector<NodeBook>& nodes() const { return nodes_; }
  const JobBook* find(JobId id) const;
  std::size_t unfinished() const { return waiting_.size() + placed_.size(); }
  const std::set<JobId>& waiting() const { return waiting_; }
  /// An owner wants a service like this from now on.
  void wish(const ServiceSpec& spec);
  /// The core has made a job of its own. Reports one that nobody has asked for.
  void adopt(const Job& job);
  const QuotaBooks& quotas() const { return quotas_; }
  /// The partition that a queue uses; nullopt if there is no such queue.
  std::optional<std::string> partition_of(const std::string& queue) const;

 private:
  void on(const Tick&) {}
  void on(const PolicySet&) {}
  void on(const QueueSet& event);
  void on(const NodeJoined& event);
  void on(const NodeLost& event);
  void on(const NodeReturned& event);
  void on(const NodeDutySet& event);
  void on(const NodeContact& event);
  void on(const JobSubmitted& event);
  void on(const JobStopRequested&) {}
  void on(const TaskStarted& event);
  void on(const TaskEnded& event);
  void on(const HealingSet&) {}
  void on(const GpuErrorSeen&) {}
  void on(const GpuHealthSeen& event);
  void on(const OrphansEnded&) {}
  void on(const TaskStalled&) {}
  void on(const StoreHealed&) {}
  void on(const RepairEnded&) {}
  void on(const PriceSet&) {}
  void on(const IdleSet&) {}
  void on(const GpuUseSeen&) {}
  void on(const NodeImagesSeen&) {}
  void on(const WorkBudgetSet&) {}
  void on(const ServiceApplied&) {}
  void on(const ServiceDeleted&) {}
  void on(const ServiceLoadSeen&) {}
  void on(const ReplicaProbed&) {}

  void take(const Transition& transition);
  void count_quota(const Transition& transition, const JobBook& job);
  void take(const StartGang& start, const control::Decisions& decisions);
  void take(const StopGang& stop);
  void take(const ReplaceTask& anew);
  void set_quarantined(NodeId node, bool quarantined);
  void check_repair(NodeId id);
  void check_gang(const StartGang& start, const JobBook& job);
  void check_place(JobId id, const JobBook& job, const TaskPlacement& task, NodeId first);
  void check_task(const TaskPlacement& task, const Request& request, const JobBook& job);
  void allocate(const TaskPlacement& task);
  static void give_back(const TaskPlacement& task, std::vector<NodeBook>& nodes);
  void release(JobBook& job, std::size_t rank);
  JobBook* writable(JobId id);

  Time now_;
  EventSeq seq_;
  std::vector<NodeBook> nodes_;
  std::map<JobId, JobBook> jobs_;
  std::set<JobId> waiting_;
  std::set<JobId> placed_;
  std::map<std::string, std::string> partition_of_queue_;
  QuotaBooks quotas_;
  std::map<std::string, std::vector<JobSpec>> replicas_wanted_;  // by service: all that ever were
  std::map<JobId, JobId> beneficiaries_;  // of what the event being taken in stops
  std::vector<Violation> violations_;     // the first few
};

}  // namespace gyre::sim
