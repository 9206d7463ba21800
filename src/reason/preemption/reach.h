#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "domain/cluster.h"
#include "domain/job_table.h"
#include "domain/node_log.h"
#include "reason/placement/demand.h"
#include "reason/placement/search.h"
#include "reason/queueing/order.h"

namespace gyre::reason {

/// Running jobs that may be stopped for others, by rank.
using Evictable = std::set<std::pair<Rank, JobId>>;

/// GPU time that stopping a job would waste: its GPUs times the time since its last checkpoint, in
/// milli-GPU-nanoseconds; without checkpoints, since its start.
struct Exposure {
  double gpu_milli = 0;
  Time started;
  Duration interval;  // of its checkpoints; 0: none

  explicit Exposure(const Job& job);
  double at(Time now) const;
};

/// A job's place among those that may be stopped, the first to stop first: by rank, the worst
/// first, of equal ones that with the least work at risk.
struct VictimKey {
  Rank inverse = 0;  // ~rank: -rank may overflow
  double at_risk = 0;
  JobId job;

  auto operator<=>(const VictimKey&) const = default;
};

/// Whether a demand would fit with every job beyond a bar gone, and with how many of them, for the
/// demands for which that was dear to find out: so that it is not found anew, victim by victim,
/// while little has changed. Counts nodes with room for each, and brings the counts up to date by
/// what changes.
///
/// A memory, never an input: what it says is what a search would find. A copy starts without it.
/// Of one partition. Not thread-safe.
class Reach {
 public:
  Reach() = default;
  Reach(const Reach&) {}
  Reach(Reach&&) = default;
  Reach& operator=(const Reach&);
  Reach& operator=(Reach&&) = default;
  ~Reach() = default;

  /// The job may be stopped for others, and stands there; it stands elsewhere; it may no more, or
  /// holds nothing. O(its tasks), nothing before the first watch().
  void enter(const Job& job, Rank rank);
  void move(const Job& job, Rank from, Rank to);
  void leave(const Job& job, Rank rank);
  /// Some of its tasks have ended.
  void shrink(const Job& job);
  /// One that has ended holds something again. Requires: the job may be stopped, and stands there.
  void grow(const Job& job, std::int32_t task, Rank rank);

  struct Setting {
    Cluster& cluster;
    const JobTable& jobs;
    const Evictable& evictable;
    const Evictable& taken;  // of those, what is gone from the cluster already
  };
  /// Looks at the demand from when it is asked about next. Never at one whose affinity restricts
  /// it: who is on a node is not counted here.
  void watch_later(const Demand& demand);
  /// Looks at it from now on. Requires: it is of a DemandTable, and not restricted. O(nodes +
  /// evictable jobs).
  void watch(const Setting& setting, const Demand& demand, Rank bar);
  bool watches(const Demand& demand) const { return find(demand) < watches_.size(); }
  /// What a look at all jobs beyond the bar costs (held_cost()), if the demand did not fit were all
  /// of them gone; nullopt if it would, or is not watched. O(nodes that changed since it was asked
  /// last, and jobs between the bar then and now).
  std::optional<std::int64_t> beyond(const Setting& setting, const Demand& demand, Rank bar);

  /// Who of the jobs beyond the bar are to go so that the demand fits: the first ones until it
  /// does, but for those that can be spared, dearest first.
  struct Cut {
    std::vector<JobId> victims;  // the last one first
    std::int64_t tried = 0;      // jobs until it fitted
    std::int64_t cost = 0;       // of a look at these
  };
  /// Requires: beyond() has just been asked of the demand, said nullopt, and it is watched.
  /// O(evictable jobs + tried log nodes).
  Cut cut(const Setting& setting, const Demand& demand, Time now);

 private:
  static constexpr std::size_t kWatchesMax = 64;
  /// A demand's jobs may stand far apart: so many bars are kept for it.
  static constexpr std::size_t kBarsMax = 3;
  /// A bar is far where so large a share of the evictable jobs is between.
  static constexpr std::size_t kFarShare = 32;

  class Sweep;

  /// An evictable job.
  struct Candidate {
    JobId job;  // 0: the slot is unused
    Rank rank = 0;
    Exposure exposure;
    std::int64_t cost = 0;  // of a look at it
    double at_risk = 0;     // at `weighed_at_`
    VictimKey key() const { return {~rank, at_risk, job}; }
  };
  struct Resident {
    std::uint32_t slot;  // in candidates_
    Rank rank;
    Allocation part;
  };
  struct Watch {
    std::uint64_t owner = 0;  // Demand::Group::id
    std::uint64_t asked = 0;  // the higher, the later
    bool filled = false;      // else all that follows is yet to be counted
    Rank bar = 0;
    std::int64_t cost = 0;  // of a look at the evictable jobs beyond it
    std::uint64_t seen_cluster = 0;
    std::uint64_t seen_residents = 0;
    std::vector<std::uint8_t> usable;  // by node: usable_by(), with the victims gone
    Supply supply;
  };

  void watch(const Setting& setting, const Demand& demand, Rank bar, std::size_t index);
  void begin(const Setting& setting);
  std::size_t find(const Demand& demand) const;  // the last one asked in watches_, or its size
  std::optional<std::size_t> near(const Setting& setting, const Demand& demand, Rank bar) const;
  std::size_t slot_for_bar(const Demand& demand) const;
  bool is_of(const Watch& watch, const Demand& demand) const {
    return watch.owner == demand.groups.front().id;
  }
  void fill(const Setting& setting, const Demand& demand, Watch& watch) const;
  void catch_up(const Setting& setting, const Demand& demand, Watch& watch) const;
  void move_bar(const Setting& setting, const Demand& demand, Rank bar, Watch& watch) const;
  void look_at(const Setting& setting, const Demand& demand, NodeId node, Watch& watch) const;
  void remove(NodeId node, std::uint32_t slot);
  Watch& add_watch(const Demand& demand, std::size_t index);
  void weigh(Time now);
  bool is_victim(const Setting& setting, const Watch& watch, const Resident& resident) const {
    return resident.rank > watch.bar &&
           (setting.taken.empty() ||
            !setting.taken.contains({resident.rank, candidates_[resident.slot].job}));
  }

  bool on_ = false;
  std::uint64_t asked_ = 0;
  std::vector<Candidate> candidates_;
  std::vector<std::uint32_t> unused_;               // slots of these
  std::unordered_map<JobId, std::uint32_t> slots_;  // looked up, never walked
  std::optional<Time> weighed_at_;                  // nullopt: some are new since
  std::vector<std::vector<Resident>> residents_;    // by node: tasks of evictable jobs
  NodeLog log_;                                     // where these changed
  std::vector<Watch> watches_;
};

}  // namespace gyre::reason
