#include "reason/preemption/victims.h"

#include <utility>

#include "reason/placement/thought.h"

namespace gyre::reason {
namespace {

struct Taken {
  const Job* job;
  Rank rank;
};

/// Takes victims until the demand fits. False if it never does.
bool take_enough(const Question& question, Thought& thought, Rank bar, Victims& victims,
                 std::vector<Taken>& taken) {
  while (question.work < question.work_max) {
    const Job* job = victims.take(bar);
    if (job == nullptr) return false;
    ++question.work;
    release_all(*job, thought);
    taken.push_back({job, victims.rank()});
    if (thought.fits()) return true;
  }
  return false;
}

}  // namespace

double work_at_risk(const Job& job, Time now) {
  Duration unsaved = now - job.attempt_started_at;
  const auto& interval = job.spec.checkpoint.interval;
  if (interval && interval->ns > 0) unsaved = Duration{unsaved.ns % interval->ns};
  return static_cast<double>(gpu_total(job.spec.tasks).value) * static_cast<double>(unsaved.ns);
}

RankedVictims::RankedVictims(const std::vector<JobId>& among, const Running& running,
                             const JobTable& jobs, Time now)
    : jobs_(jobs), now_(now), next_(running.evictable().rend()), end_(next_) {
  for (const JobId id : among) {
    if (const auto rank = running.rank_of(id)) put_back(*jobs_.find(id), *rank);
  }
}

const Job* RankedVictims::take(Rank bar) {
  if (ready_.empty()) refill();
  if (ready_.empty()) return nullptr;
  const auto [inverse, at_risk, id] = *ready_.begin();
  if (~inverse <= bar) return nullptr;
  rank_ = ~inverse;
  ready_.erase(ready_.begin());
  return jobs_.find(id);
}

void RankedVictims::refill() {
  if (next_ == end_) return;
  const Rank rank = next_->first;
  for (; next_ != end_ && next_->first == rank; ++next_) put_back(*jobs_.find(next_->second), rank);
}

std::optional<Room> make_room(const Question& question, Trial& trial, const Beneficiary& who,
                              Victims& victims) {
  Thought thought(question.cluster, who.demand, question.work);
  std::vector<Taken> taken;
  const bool enough = take_enough(question, thought, who.bar, victims, taken);
  Room room;
  // Gives back, dearest first, what is not needed. The last one taken is.
  for (std::size_t i = taken.size(); i-- > 0;) {
    const Job& job = *taken[i].job;
    bool needed = enough && i + 1 == taken.size();
    if (enough && !needed) {
      allocate_all(job, thought);
      needed = !thought.fits();
      if (needed) release_all(job, thought);
    }
    if (needed) {
      room.victims.push_back(job.id);
    } else {
      victims.put_back(job, taken[i].rank);
    }
  }
  if (!enough) return std::nullopt;
  for (const JobId victim : room.victims) release_all(*question.jobs.find(victim), trial);
  room.placement =
      *question.placer.find(question.cluster, who.demand, who.job.value, question.work);
  for (const TaskPlacement& task : room.placement) trial.allocate(task.node, task.allocation);
  return room;
}

}  // namespace gyre::reason
