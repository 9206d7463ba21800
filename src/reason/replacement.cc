// One task of a gang that is put elsewhere by itself, while the others stay where they are.
#include <algorithm>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "reason/scheduler.h"

namespace gyre::reason {
namespace {

const Request& request_of(const JobSpec& spec, std::int32_t rank) {
  for (const TaskGroup& group : spec.tasks) {
    if (rank < group.count) return group.request;
    rank -= group.count;
  }
  GYRE_ASSERT(false);
  return spec.tasks.front().request;
}

/// In which domains of task 0's node it is looked for, one after the other; nullopt: anywhere.
std::vector<std::optional<TopologyLevel>> levels_of(const std::optional<Topology>& topology) {
  if (!topology) return {std::nullopt};
  if (topology->required) return {topology->level};
  std::vector<std::optional<TopologyLevel>> levels;
  for (auto level = static_cast<std::size_t>(topology->level) + 1; level-- > 0;) {
    levels.emplace_back(static_cast<TopologyLevel>(level));
  }
  levels.emplace_back();
  return levels;
}

/// Those of the job's other tasks, that which was lost, and all that are too far.
std::vector<NodeId> nodes_to_avoid(const Cluster& cluster, const Job& job,
                                   std::optional<TopologyLevel> level) {
  std::vector<NodeId> avoid;
  for (const TaskPlacement& task : job.placement) avoid.push_back(task.node);
  if (level) {
    const std::uint32_t wanted = cluster.domain(*level, job.placement.front().node);
    for (std::uint32_t i = 0; i < cluster.nodes().size(); ++i) {
      if (cluster.domain(*level, {i}) != wanted) avoid.push_back({i});
    }
  }
  std::sort(avoid.begin(), avoid.end());
  avoid.erase(std::unique(avoid.begin(), avoid.end()), avoid.end());
  return avoid;
}

}  // namespace

std::optional<TaskPlacement> Scheduler::place_for_task(const Job& job, std::int32_t rank,
                                                       PartitionId partition, Scene scene) {
  const std::vector<TaskGroup> one{{1, request_of(job.spec, rank)}};
  Demand demand = DemandTable::make(partition, one, scene.cluster);
  demand.affinity = affinity_of(job.spec).value_or(Affinity{});
  const Asker who = reason::asker(job.id, scene.jobs, scene.images);
  std::int64_t work = 0;
  for (const auto level : levels_of(job.spec->topology)) {
    demand.avoid = nodes_to_avoid(scene.cluster, job, level);
    if (const auto found = placer_.find(scene.cluster, demand, who, work)) {
      return TaskPlacement{rank, found->front().node, found->front().allocation};
    }
  }
  return std::nullopt;
}

void Scheduler::task_placed(const Job& job, std::int32_t rank, PartitionId partition) {
  const TaskPlacement& task = job.placement[static_cast<std::size_t>(rank)];
  Line& target = line(partition);
  target.running.grow(job, rank);
  if (task.allocation.group.value != 0) {
    grouped_.add(task.node, {job.id, static_cast<std::size_t>(rank), task.allocation});
  }
  drop_claims(target);  // it may be where they are
  target.reservation_stale = true;
  target.stale = Stale::Everything;
}

}  // namespace gyre::reason
