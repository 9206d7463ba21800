#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "domain/cluster.h"
#include "domain/job_spec.h"
#include "domain/request.h"
#include "reason/queueing/waiting_list.h"

namespace gyre::reason {

/// What a gang asks for: a view of a job's spec.
struct GangRequest {
  GangRequest(const std::vector<TaskGroup>& all) : tasks(all) {}
  GangRequest(const JobSpec& spec)
      : tasks(spec.tasks),
        topology(task_count(tasks) > 1 ? spec.topology : std::nullopt),
        affinity(affinity_of(spec)) {}

  const std::vector<TaskGroup>& tasks;
  std::optional<Topology> topology{};  // nullopt for one task, whatever its spec says
  std::optional<Affinity> affinity{};
};

/// What equal jobs ask for, in one partition. Jobs with the same demand are interchangeable to a
/// placement, so what is learned about one ("does not fit now") holds for all.
struct Demand {
  struct Group {
    std::int32_t count = 1;
    Request request;
    std::vector<std::uint8_t> could_run;  // by ShapeId
    std::uint64_t id = 0;                 // never reused in a table; 0: outside of one
  };

  PartitionId partition;
  std::vector<Group> groups;
  std::optional<Topology> topology;
  std::optional<Affinity> affinity;
  std::vector<NodeId> avoid;   // nodes that it is kept from besides, ascending
  std::int64_t gpu_milli = 0;  // of all tasks
  WaitingList waiting;         // jobs in line with this demand
  std::int32_t apart = 0;      // jobs with this demand that wait in no list
  /// The level on which all tasks must be in one domain.
  std::optional<TopologyLevel> within() const {
    return topology && topology->required ? std::optional(topology->level) : std::nullopt;
  }

  /// Whether there are nodes that it may not take, whatever is free on them.
  bool restricted() const { return affinity && (affinity->restricts() || !avoid.empty()); }

  /// The same of nobody, kept from those nodes too. Requires: an affinity.
  Demand kept_from(std::vector<NodeId> nodes) const;

  bool feasible = true;           // fits the nodes that are up, were they empty
  bool fits_ever = true;          // fits all nodes, were they up and empty
  std::uint64_t feasible_at = 0;  // fleet version for which these two hold; 0: never looked

  /// Where a search failed, and how much that had grown by then.
  struct Failure {
    std::uint64_t ground = 0;
    std::uint64_t growth = 0;  // Cluster::growth()
    bool operator==(const Failure&) const = default;
  };
  /// The last one; what did not fit then does not fit there until that grows.
  std::optional<Failure> failed_at;
};

/// Of all groups.
inline std::int64_t task_count(const Demand& demand) {
  std::int64_t count = 0;
  for (const Demand::Group& group : demand.groups) count += group.count;
  return count;
}

/// Interns demands. Forgets those that nobody waits for once there are many.
class DemandTable {
 public:
  /// The demand's index, valid while a job waits with it or until the next call.
  std::uint32_t intern(PartitionId partition, const GangRequest& request, const Cluster& cluster);
  Demand& at(std::uint32_t index) { return demands_[index]; }
  const Demand& at(std::uint32_t index) const { return demands_[index]; }

  /// A demand outside the table, for questions.
  static Demand make(PartitionId partition, const GangRequest& request, const Cluster& cluster);
  /// Brings `could_run` up to the cluster's shapes.
  static void refresh(Demand& demand, const Cluster& cluster);

  template <class Visitor>
  void for_each(Visitor&& visit) {
    for (auto& [key, index] : index_) visit(index, demands_[index]);
  }

 private:
  static constexpr std::size_t kIdleMax = 4096;
  using Key = std::tuple<PartitionId, std::optional<Topology>, std::vector<TaskGroup>,
                         std::optional<Affinity>>;
  struct Less {
    using is_transparent = void;
    using View = std::tuple<PartitionId, const std::optional<Topology>&,
                            const std::vector<TaskGroup>&, const std::optional<Affinity>&>;
    bool operator()(const View& a, const View& b) const { return a < b; }
  };

  void forget_idle();

  std::map<Key, std::uint32_t, Less> index_;
  std::vector<Demand> demands_;
  std::vector<std::uint32_t> unused_;
  std::uint64_t last_group_ = 0;
  std::size_t forget_at_ = kIdleMax;  // when there are so many: twice what was left the last time
};

}  // namespace gyre::reason
