#include "reason/backfill/conservative.h"

#include <algorithm>
#include <utility>

#include "reason/backfill/easy.h"
#include "reason/backfill/in_the_way.h"

namespace gyre::reason {

Schedule::Schedule(const Question& question, PartitionId partition, const Running& running)
    : question_(question), partition_(partition) {
  running.walk([&](const Ending& ending) {
    // What is expected to end now still holds what it has.
    endings_.push_back({std::max(ending.at, question.now + nanoseconds(1)), ending.job});
    return true;
  });
}

std::vector<Time> Schedule::times() const {
  std::vector<Time> times{question_.now};
  for (const Ending& ending : endings_) times.push_back(ending.at);
  for (const Planned& planned : planned_) times.push_back(planned.end);
  std::sort(times.begin(), times.end());
  times.erase(std::unique(times.begin(), times.end()), times.end());
  return times;
}

std::optional<Reservation> Schedule::plan(JobId job, const Demand& demand, Duration expected) {
  Trial gone(question_.cluster, partition_);
  auto ending = endings_.begin();
  std::vector<const Planned*> started;
  for (const Planned& planned : planned_) {
    if (planned.started) started.push_back(&planned);
  }
  for (const Time at : times()) {
    if (at == Time::max() || question_.work >= question_.work_max) break;
    for (; ending != endings_.end() && ending->at <= at; ++ending) {
      release_all(*question_.jobs.find(ending->job), gone);
    }
    std::erase_if(started, [&](const Planned* planned) {
      if (planned->end > at) return false;
      for (const TaskPlacement& task : planned->room.placement) {
        gone.release(task.node, task.allocation);
      }
      return true;
    });
    if (!enough_in_sum(at, demand)) continue;
    auto room = room_at(at, job, demand, expected);
    if (!room) continue;
    // What starts and is expected to end at one moment still holds what it has.
    const Time end = saturating_add(at, std::max(expected, nanoseconds(1)));
    planned_.push_back({*room, end, demand.gpu_milli});
    return room;
  }
  return std::nullopt;
}

void Schedule::started() { planned_.back().started = true; }

/// False if too little is free at `at` even in sum.
bool Schedule::enough_in_sum(Time at, const Demand& demand) const {
  std::int64_t free = question_.cluster.free_gpu_milli(partition_);
  for (const Planned& planned : planned_) {
    const bool runs_then = !planned.started && planned.room.at <= at && at < planned.end;
    if (runs_then) free -= planned.gpu_milli;
  }
  return free >= demand.gpu_milli;
}

/// The room that is there from `at` on for as long as the job runs. Requires: what has ended by
/// then is gone.
std::optional<Reservation> Schedule::room_at(Time at, JobId job, const Demand& demand,
                                             Duration expected) {
  Cluster& cluster = question_.cluster;
  Trial trial(cluster, partition_);
  const Time until = saturating_add(at, expected);
  std::vector<NodeId> in_the_way;  // of who starts while it runs
  for (const Planned& planned : planned_) {
    ++question_.work;
    if (planned.started || planned.end <= at || planned.room.at >= until) continue;
    hold(trial, cluster, planned.room);
    if (planned.room.at >= at) add_in_the_way(demand, planned.room, question_.jobs, in_the_way);
  }
  std::optional<Demand> part;
  if (!in_the_way.empty()) part = demand.kept_from(std::move(in_the_way));
  auto placement =
      question_.placer.find(cluster, part ? *part : demand, question_.asker(job), question_.work);
  if (!placement) return std::nullopt;
  Reservation room{job, at, std::move(*placement), {}};
  for (const TaskPlacement& task : room.placement) {
    const Capacity& free = cluster.node(task.node).free;
    room.free_then.push_back({free.cpu, free.memory});
  }
  return room;
}

}  // namespace gyre::reason
