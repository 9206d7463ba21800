#include "reason/backfill/conservative.h"

#include <algorithm>
#include <utility>

#include "reason/backfill/easy.h"

namespace gyre::reason {

Schedule::Schedule(const Question& question, PartitionId partition, const Running& running)
    : question_(question), partition_(partition) {
  running.walk(question.now, question.jobs, [&](const Ending& ending) {
    // What is expected to end now still holds what it has.
    endings_.push_back({std::max(ending.at, question.now + nanoseconds(1)), ending.job});
    return true;
  });
}

std::optional<Reservation> Schedule::plan(JobId job, const Demand& demand, Duration expected) {
  std::vector<Time> times{question_.now};
  for (const Ending& ending : endings_) times.push_back(ending.at);
  for (const Planned& planned : planned_) times.push_back(planned.end);
  std::sort(times.begin(), times.end());
  times.erase(std::unique(times.begin(), times.end()), times.end());
  for (const Time at : times) {
    if (at == Time::max() || question_.work >= question_.work_max) break;
    auto room = plan_at(at, job, demand, expected);
    if (!room) continue;
    planned_.push_back({*room, saturating_add(at, expected)});
    return room;
  }
  return std::nullopt;
}

void Schedule::started() { planned_.back().started = true; }

/// The room that is there from `at` on for as long as the job runs.
std::optional<Reservation> Schedule::plan_at(Time at, JobId job, const Demand& demand,
                                             Duration expected) {
  Cluster& cluster = question_.cluster;
  Trial trial(cluster, partition_);
  for (const Ending& ending : endings_) {
    if (ending.at > at) break;
    release_all(*question_.jobs.find(ending.job), trial);
  }
  for (const Planned& planned : planned_) {
    if (!planned.started || planned.end > at) continue;
    for (const TaskPlacement& task : planned.room.placement) {
      trial.release(task.node, task.allocation);
    }
  }
  if (cluster.free_gpu_milli(partition_) < demand.gpu_milli) return std::nullopt;
  const Time until = saturating_add(at, expected);
  for (const Planned& planned : planned_) {
    ++question_.work;
    if (planned.started) continue;
    if (planned.end > at && planned.room.at < until) hold(trial, cluster, planned.room);
  }
  auto placement = question_.placer.find(cluster, demand, job.value, question_.work);
  if (!placement) return std::nullopt;
  Reservation room{job, at, std::move(*placement), {}};
  for (const TaskPlacement& task : room.placement) {
    const Capacity& free = cluster.node(task.node).free;
    room.free_then.push_back({free.cpu, free.memory});
  }
  return room;
}

}  // namespace gyre::reason
