// Where a cycle looks for room: what is claimed taken, what is being stopped gone.
#include <algorithm>
#include <optional>
#include <vector>

#include "reason/backfill/easy.h"
#include "reason/placement/free_capacity.h"
#include "reason/preemption/claimed.h"
#include "reason/scheduler.h"

namespace gyre::reason {

/// A copy that is kept does not tell residents apart.
bool Scheduler::keeps_prospects() const {
  return policy_.placement != PolicySpec::Placement::GpuClustering;
}

/// What is left for who is in line. Lasts as long as `trial`, and no longer than claims stay.
Scheduler::Turn Scheduler::without_claims(const Turn& turn, std::optional<Trial>& trial) const {
  if (turn.line.claims.empty()) return turn;
  if (keeps_prospects()) {
    follow_unclaimed(turn);
    return turn.on(turn.line.unclaimed);
  }
  turn.line.unclaimed.forget();
  trial.emplace(turn.scene.cluster, turn.partition);
  for (const auto& [job, claim] : turn.line.claims) {
    turn.work += std::ssize(claim.room.placement);
    hold(*trial, turn.scene.cluster, claim.room);
  }
  return turn;
}

void Scheduler::follow_unclaimed(const Turn& turn) const {
  const Line& line = turn.line;
  const auto change = [&line](NodeId id, const Node& node, Capacity& free,
                              std::vector<GroupId>& groups) {
    if (!node.open()) return;
    for (const NodeParts::Part& part : line.claimed.on(id)) {
      hold(line.claims.at(part.job).room, part.task, free);
      if (part.allocation.group.value != 0) groups.push_back(part.allocation.group);
    }
  };
  turn.line.unclaimed.follow(
      {turn.scene.cluster, turn.partition, placer_, grouped_, {&line.claimed.log()}, change});
}

/// What is left once who is being stopped is gone, and what is claimed is taken.
Scheduler::Turn Scheduler::after_leave(const Turn& turn, std::optional<Trial>& trial) const {
  Line& line = turn.line;
  Cluster& cluster = turn.scene.cluster;
  if (keeps_prospects()) {
    const NodeParts& leaving = line.running.leaving_parts();
    const auto change = [&](NodeId id, const Node& node, Capacity& free,
                            std::vector<GroupId>& groups) {
      for (const NodeParts::Part& part : leaving.on(id)) {
        add(part.allocation, 1, free);
        const auto own = std::find(groups.begin(), groups.end(), part.allocation.group);
        if (own != groups.end()) groups.erase(own);
      }
      for (const NodeParts::Part& part : line.claimed.on(id)) {
        if (!node.open() || !has(free, part.allocation)) continue;
        add(part.allocation, -1, free);
        if (part.allocation.group.value != 0) groups.push_back(part.allocation.group);
      }
    };
    const std::uint64_t made = line.after_leave.made();
    line.after_leave.follow({cluster,
                             turn.partition,
                             placer_,
                             grouped_,
                             {&line.claimed.log(), &leaving.log()},
                             change});
    if (line.after_leave.made() != made) line.running.reach() = Reach();
    return turn.on(line.after_leave);
  }
  if (line.after_leave.is_known()) {
    line.after_leave.forget();
    line.running.reach() = Reach();
  }
  trial.emplace(cluster, turn.partition);
  for (const auto& [end, id] : line.running.leaving()) {
    const Job& job = *turn.scene.jobs.find(id);
    turn.work += held_cost(job);
    release_all(job, *trial);
  }
  for (const auto& [job, claim] : line.claims) {
    turn.work += std::ssize(claim.room.placement);
    for (const TaskPlacement& task : claim.room.placement) {
      if (is_free(cluster, task)) trial->allocate(task.node, task.allocation);
    }
  }
  return turn;
}

}  // namespace gyre::reason
