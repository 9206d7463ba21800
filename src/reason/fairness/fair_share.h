#pragma once

#include <compare>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "domain/cluster.h"
#include "domain/job.h"
#include "domain/queue.h"
#include "reason/fairness/past_use.h"
#include "reason/placement/demand.h"
#include "reason/queueing/waiting_list.h"

namespace gyre::reason {

/// What stands between a job and its queue's quota.
struct QuotaBlock {
  bool for_ever = false;  // the job alone asks for more than may ever be used
  std::string detail{};   // for a person, with numbers and units
  bool full = false;      // jobs take all that there is, whatever is guaranteed
};

/// Which waiting jobs may join their partition's line: quotas, limits and fair shares of queues.
///
/// Jobs of a partition with quotas wait at a gate. Whoever is next is found from the top of the
/// queues' tree down: a queue that holds less than it is guaranteed goes before one that does not,
/// then the one with the least dominant share by weight (DRF: Ghodsi et al., NSDI 2011; by level as
/// in hierarchical DRF: Bhattacharya et al., SoCC 2013), past use included, faded. Within a queue
/// the policy's order holds. Jobs that may not be stopped never borrow what is guaranteed to
/// others, so that it can always be given back.
///
/// Follows from the jobs, the time and what state() says. Copyable. Not thread-safe.
class FairShare {
 public:
  using Index = std::uint32_t;

  /// A queue is there or has another quota. Requires: its parent, if any, is there, in `partition`.
  void set(const QueueSpec& spec, PartitionId partition);
  bool governs(PartitionId partition) const;
  /// Whether jobs may wait in it: it has no queues below it.
  bool is_leaf(const std::string& queue) const;
  /// A node is there, and up.
  void join(PartitionId partition, const ResourceSum& node);
  /// What is up is more by so much, or less.
  void grow(PartitionId partition, const ResourceSum& by);

  /// Brings past use up to `now`. Returns how many queues that took a look at.
  std::int64_t advance(Time now);
  std::int64_t queue_count() const { return std::ssize(queues_); }
  /// What a look at all queues and all that are in the member's line costs, in units of work.
  std::int64_t line_cost(JobId job) const;
  /// When a queue that has used up its GPU time may go on; Time::max() for never.
  Time next_window() const;

  void gate(const Job& job, const Waiting& entry);
  /// Out of the gate, or out of the line: it waits no more, or holds nothing any more.
  void forget(JobId job);
  bool is_gated(JobId job) const;
  /// The job's entry in the policy's order. Requires: it waits, at the gate or in line.
  const Waiting& entry_of(JobId job) const;
  std::vector<Waiting> gated(PartitionId partition) const;

  /// Who may join the line next; nobody behind one that may not because of a demand's nodes. Adds
  /// the queues and jobs looked at to `work`.
  std::optional<JobId> pick(PartitionId partition, const DemandTable& demands, std::int64_t& work);
  /// Whether pick() would look at anybody.
  bool has_pending(PartitionId partition) const;
  /// True once after those in line may not be the first any more, by arrivals or by what queues
  /// hold: the line is to be made anew.
  bool take_disorder(PartitionId partition);
  void admit(JobId job, std::int64_t place);
  /// The policy's order has another place for it.
  void rerank(JobId job, const Waiting& entry);
  /// Back to the gate.
  void take_back(JobId job, const Waiting& entry);
  /// The job's place in line; 0: none, or it is placed.
  std::int64_t place_of(JobId job) const;

  void placed(const Job& job, bool stoppable);
  void stopping(JobId job);
  /// For a question: as if it were being stopped, or not.
  void mark(JobId job, bool leaving);

  /// Whether what it asks for is within what some queue above it is guaranteed.
  bool entitled(JobId job) const;
  /// The job to be stopped next so that `job` gets what is guaranteed: of the queue that is most
  /// above its own guarantee, the youngest; nullopt: there is none.
  std::optional<JobId> next_victim(JobId job) const;
  /// Jobs of the same queue that run and may be stopped.
  std::vector<JobId> running_beside(JobId job) const;
  bool any_stoppable(PartitionId partition) const;

  /// What keeps it out; nullopt if only its turn does. Requires: it is gated.
  std::optional<QuotaBlock> block_of(JobId job) const;
  /// Jobs of its queue that are before it at the gate, and the first of them. Requires: it is
  /// gated.
  std::int64_t ahead_of(JobId job) const;
  JobId first_of_queue(JobId job) const;
  /// For jobs that were not submitted yet.
  std::optional<QuotaBlock> never_admits(const std::string& queue, const ResourceSum& amount) const;

  struct View {
    ResourceSum used;  // by jobs that run or are in line
    ResourceSum placed;
    ResourceSum past;
    std::int64_t gpu_milli_s = 0;  // in the window that goes on
    double share = 0;              // dominant, of the partition, by weight
    std::int64_t gated = 0;        // that wait for their turn or quota
  };
  View view(const std::string& queue) const;

  std::vector<QueueUsage> usages() const;
  void restore(const QueueUsage& usage);
  std::vector<Admission> admissions() const;

 private:
  enum class Stage : std::uint8_t { Gated, TooLarge, Admitted, Placed };
  struct Member {
    Index queue = 0;
    Stage stage = Stage::Gated;
    bool firm = false;       // may not be stopped
    bool stoppable = false;  // runs, and may be stopped now
    bool leaving = false;
    std::int64_t place = 0;
    Time started_at;
    ResourceSum amount;
    Waiting entry;
  };
  /// Order among siblings.
  struct Key {
    int tier = 0;
    double share = 0;
    Index queue = 0;
    auto operator<=>(const Key&) const = default;
  };
  struct Queue {
    QueueSpec spec;
    PartitionId partition;
    std::optional<Index> parent;
    std::vector<Index> children;
    ResourceSum used;     // by what is admitted or placed, of those below too, as all that follows
    ResourceSum leaving;  // the part of it that is being stopped
    ResourceSum placed;
    std::int64_t firm_gpu_milli = 0;  // used by jobs that may not be stopped
    std::int64_t kept_below = 0;      // sum of kept() over the children
    std::int64_t jobs = 0;
    std::int64_t stoppable = 0;
    std::int64_t starving = 0;  // gated jobs that have waited too long
    std::int64_t gated_count = 0;
    PastUse past;
    Key key;
    bool pending = false;  // in its parent's set: somebody below waits and is not known to be kept
    std::set<Key> pending_children;
    std::map<OrderKey, JobId> gated;  // leaves only, as all that follows
    std::set<OrderKey> in_line;       // by the policy's order
    std::set<std::pair<Time, JobId>> stoppables;
    std::vector<Index> keeps_out;  // leaves whose first jobs its limits keep out; ascending
  };
  struct Part {
    bool governed = false;
    bool disorder = false;
    std::int32_t guaranteed = 0;  // queues that are guaranteed GPUs
    ResourceSum capacity;
    std::int64_t whole_gpu_milli = 0;  // of all nodes, also those that are not up
    std::int64_t firm_gpu_milli = 0;   // of all queues
    std::vector<Index> roots;
    std::set<Key> pending;
    std::int64_t kept = 0;  // sum of kept() over the roots
    std::set<std::pair<std::int64_t, JobId>> places;
    std::vector<Index> keeps_out;  // leaves kept out for want of nodes or of free room; ascending
  };

  Part& part(PartitionId id);
  const Part& part(PartitionId id) const;
  template <class Visitor>
  void for_path(Index leaf, Visitor&& visit) {
    for (std::optional<Index> at = leaf; at; at = queues_[*at].parent) visit(*at, queues_[*at]);
  }
  void open_windows();
  Member* find(JobId job);
  const Member* find(JobId job) const;

  Key key_of(Index queue) const;
  void rekey(Index queue);
  void set_pending(Index queue, bool pending);
  void note_less_held(Index leaf);
  static void keep_out(Index leaf, std::vector<Index>& keeps_out);
  void release_from(std::vector<Index>& keeps_out);
  void enter_gate(JobId id, Member& member);
  void leave_gate(const Member& member);
  void charge(const Member& member, int sign);
  void count_placed(const Member& member, JobId id, int sign);
  void count_stoppable(const Member& member, JobId id, int sign);
  std::int64_t kept(const Queue& queue) const;
  void keep(Index leaf, std::int64_t firm_gpu_milli);
  ResourceSum held_before(Index queue, const Member& member) const;
  bool within(Index queue, const Member& member) const;
  bool below(Index queue, Index top) const;
  static bool above(const Queue& queue);
  std::optional<JobId> youngest_below(Index queue) const;
  std::optional<JobId> victim_among(const std::vector<Index>& queues, Index except,
                                    bool only_above) const;

  std::optional<JobId> first_allowed(Index leaf, const DemandTable& demands, std::int64_t& work);
  std::optional<Index> kept_out_by(const Member& member) const;
  bool room_for_firm(const Member& member) const;
  static bool limits_keep_out(const Queue& queue, const ResourceSum& amount);
  static bool limits_never_allow(const Queue& queue, const ResourceSum& amount);

  Time now_;
  Time next_step_ = Time::max();    // of somebody's fading
  Time next_window_ = Time::max();  // of somebody's GPU time
  std::vector<Queue> queues_;
  std::map<std::string, Index> by_name_;
  std::vector<Part> parts_;                    // by PartitionId
  std::unordered_map<JobId, Member> members_;  // looked up, never walked
};

}  // namespace gyre::reason
