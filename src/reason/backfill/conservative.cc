#include "reason/backfill/conservative.h"

#include <algorithm>
#include <utility>

#include "reason/backfill/easy.h"
#include "reason/backfill/in_the_way.h"
#include "reason/placement/thought.h"

namespace gyre::reason {

Schedule::Schedule(const Question& question, PartitionId partition, const Running& running)
    : question_(question), partition_(partition) {
  running.walk(question.now, [&](const Ending& ending) {
    ++question_.work;
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

/// When it would fit were nobody else planned; nullopt: never.
std::optional<Time> Schedule::fits_at(const Demand& demand) const {
  Thought thought(question_.cluster, demand, question_.work);
  if (thought.fits()) return question_.now;
  std::vector<const Planned*> started;
  for (const Planned& planned : planned_) {
    if (planned.started) started.push_back(&planned);
  }
  std::sort(started.begin(), started.end(),
            [](const Planned* a, const Planned* b) { return a->end < b->end; });
  auto next = started.begin();
  const auto release_until = [&](Time at) {
    for (; next != started.end() && (*next)->end <= at && (*next)->end < Time::max(); ++next) {
      question_.work += std::ssize((*next)->room.placement);
      for (const TaskPlacement& task : (*next)->room.placement) {
        thought.release(task.node, task.allocation);
      }
      if (thought.fits()) return true;
    }
    return false;
  };
  for (const Ending& ending : endings_) {
    if (ending.at == Time::max()) break;
    if (release_until(ending.at)) return (*next)->end;
    const Job& job = *question_.jobs.find(ending.job);
    question_.work += held_cost(job);
    release_all(job, thought);
    if (thought.fits()) return ending.at;
  }
  if (release_until(Time::max())) return (*next)->end;
  return std::nullopt;
}

std::optional<Reservation> Schedule::plan(JobId job, const Demand& demand, Duration expected) {
  const std::optional<Time> earliest = fits_at(demand);
  never_fits_ = !earliest;
  if (never_fits_) return std::nullopt;
  question_.work += std::ssize(endings_);
  Trial gone(question_.cluster, partition_);
  auto ending = endings_.begin();
  std::vector<const Planned*> started;
  for (const Planned& planned : planned_) {
    if (planned.started) started.push_back(&planned);
  }
  for (const Time at : times()) {
    // The first one is planned however little work is left.
    const bool spent = question_.work >= question_.work_max && !planned_.empty();
    if (at == Time::max() || spent) break;
    for (; ending != endings_.end() && ending->at <= at; ++ending) {
      const Job& over = *question_.jobs.find(ending->job);
      question_.work += held_cost(over);
      release_all(over, gone);
    }
    std::erase_if(started, [&](const Planned* planned) {
      if (planned->end > at) return false;
      question_.work += std::ssize(planned->room.placement);
      for (const TaskPlacement& task : planned->room.placement) {
        gone.release(task.node, task.allocation);
      }
      return true;
    });
    ++question_.work;
    if (at < *earliest || !enough_in_sum(at, demand)) continue;
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
    question_.work += std::ssize(planned.room.placement);
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
