// What an end teaches: who stands elsewhere afterwards.
#include <algorithm>
#include <utility>
#include <vector>

#include "reason/scheduler.h"

namespace gyre::reason {

/// Waiting jobs that ask for the same and are believed to take equally long.
struct Scheduler::Lot {
  std::uint32_t demand = 0;
  Rank from = 0;            // where they stand
  std::vector<JobId> jobs;  // ascending
};

/// Jobs whose belief changes stand elsewhere afterwards. All members of a batch are in one line.
void Scheduler::learn_run_time(const Job& job, Duration total, PartitionId partition, Scene scene) {
  Line& target = line(partition);
  const Order& order = order_of(policy_.order);
  // Who is in no batch may be of any size.
  const bool alike = job.batch.value != 0;
  const auto moves = [&](const RunTimes::Belief& before, const RunTimes::Belief& after) {
    return alike ? order.moves(job, before, after) : before != after;
  };
  std::vector<Lot> lots;
  std::vector<std::vector<const Job*>> running;
  for (const std::vector<JobId>& members : run_times_.observe(job, total, moves)) {
    running.emplace_back();
    const std::size_t first = lots.size();
    for (const JobId id : members) {
      const Job& member = *scene.jobs.find(id);
      if (is_placed(member.state)) {
        running.back().push_back(&member);
      } else {
        join_lot(member, partition, scene, first, lots);
      }
    }
  }
  run_times_.refresh(job.batch);
  for (const Lot& lot : lots) move(lot, scene.jobs, target);
  for (const std::vector<const Job*>& jobs : running) move_running(jobs, alike, scene.now, target);
  target.stale = Stale::Everything;
}

/// Lots from the `first` on are of jobs that have run as long.
void Scheduler::join_lot(const Job& job, PartitionId partition, Scene scene, std::size_t first,
                         std::vector<Lot>& lots) {
  const auto asks_alike = [&](const Lot& lot) {
    const JobSpec& one = scene.jobs.find(lot.jobs.front())->spec;
    return one.tasks == job.spec->tasks && one.topology == job.spec->topology &&
           affinity_of(one) == affinity_of(job.spec);
  };
  const auto begin = lots.begin() + static_cast<std::ptrdiff_t>(first);
  const auto found = std::find_if(begin, lots.end(), asks_alike);
  if (found != lots.end()) return found->jobs.push_back(job.id);
  lots.push_back({demands_.intern(partition, *job.spec, scene.cluster),
                  order_of(policy_.order).rank(job, view(Time{})),
                  {job.id}});
}

void Scheduler::move(const Lot& lot, const JobTable& jobs, Line& line) {
  const Rank to = order_of(policy_.order).rank(*jobs.find(lot.jobs.front()), view(Time{}));
  if (to == lot.from) return;
  Demand& demand = demands_.at(lot.demand);
  if (!line.governed) {
    demand.waiting.move(lot.jobs, lot.from, to);
    (demand.feasible ? line.waiting : line.parked).move(lot.jobs, lot.from, to);
  }
  for (const JobId id : lot.jobs) {
    const Job& job = *jobs.find(id);
    // One that waits for its retry is nowhere.
    if (line.governed && (fair_.is_gated(id) || fair_.place_of(id) > 0)) {
      fair_.rerank(id, ordered_entry_of(job, fair_.entry_of(id).demand, line));
    }
    if (line.claims.empty()) continue;
    const auto claim = line.claims.find(id);
    if (claim != line.claims.end()) claim->second.entry = entry_of(job, lot.demand, line);
  }
}

void Scheduler::move_running(const std::vector<const Job*>& jobs, bool alike, Time now,
                             Line& line) {
  if (!alike) {
    for (const Job* job : jobs) {
      if (line.running.contains(job->id)) line.running.update(*job, outlook_of(*job, now), now);
    }
    return;
  }
  const auto stands = [&](const Job* job) {
    const auto standing = line.running.standing_of(job->id);
    return standing && standing->rank != kSafe && now < standing->until;
  };
  const auto one = std::find_if(jobs.begin(), jobs.end(), stands);
  if (one == jobs.end()) return;
  line.running.move(jobs, order_of(policy_.order).standing(**one, view(now)).rank, now);
}

}  // namespace gyre::reason
