#include "reason/preemption/victims.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/assert.h"
#include "reason/placement/thought.h"

namespace gyre::reason {
namespace {

struct Taken {
  const Job* job;
  Rank rank;
};

/// Takes victims until the demand fits. False if it never does.
bool take_enough(const Question& question, Thought& thought, Rank bar, Victims& victims,
                 std::int64_t tries_max, std::vector<Taken>& taken) {
  while (std::ssize(taken) < tries_max) {
    const Job* job = victims.take(bar);
    if (job == nullptr) return false;
    question.work += victims.cost() + held_cost(*job);
    release_all(*job, thought);
    taken.push_back({job, victims.rank()});
    if (thought.fits()) return true;
  }
  return false;
}

}  // namespace

RankedVictims::RankedVictims(const std::vector<JobId>& among, const Running& running,
                             const JobTable& jobs, Time now)
    : jobs_(jobs), now_(now), next_(running.evictable().rend()), end_(next_) {
  for (const JobId id : among) {
    if (const auto rank = running.rank_of(id)) ready_.push_back(key_of(*jobs_.find(id), *rank));
  }
  std::sort(ready_.begin(), ready_.end());
}

const VictimKey* RankedVictims::first() const {
  const VictimKey* fresh = taken_ < ready_.size() ? &ready_[taken_] : nullptr;
  const VictimKey* returned = returned_.empty() ? nullptr : &*returned_.begin();
  if (fresh == nullptr || returned == nullptr) return fresh != nullptr ? fresh : returned;
  return *fresh < *returned ? fresh : returned;
}

const Job* RankedVictims::take(Rank bar) {
  while (true) {
    if (first() == nullptr) refill();
    if (first() == nullptr || ~first()->inverse <= bar) return nullptr;
    const VictimKey key = *first();
    ++looked_at_;
    if (taken_ < ready_.size() && first() == &ready_[taken_]) {
      ++taken_;
    } else {
      returned_.erase(returned_.begin());
    }
    if (!left_out_.empty() && left_out_.contains(key.job)) continue;
    rank_ = ~key.inverse;
    ++tried_;
    return jobs_.find(key.job);
  }
}

/// The jobs of the next rank.
void RankedVictims::refill() {
  ready_.clear();
  taken_ = 0;
  if (next_ == end_) return;
  const Rank rank = next_->first;
  for (; next_ != end_ && next_->first == rank; ++next_) {
    ready_.push_back(key_of(*jobs_.find(next_->second), rank));
  }
  looked_at_ += static_cast<std::int64_t>(ready_.size());
  std::sort(ready_.begin(), ready_.end());
}

std::optional<Room> make_room(const Question& question, Trial& trial, const Beneficiary& who,
                              Victims& victims, std::int64_t tries_max) {
  Thought thought(question.cluster, who.demand, question.work);
  std::vector<Taken> taken;
  const bool enough = take_enough(question, thought, who.bar, victims, tries_max, taken);
  Room room;
  // Gives back, dearest first, what is not needed. The last one taken is.
  for (std::size_t i = taken.size(); i-- > 0;) {
    const Job& job = *taken[i].job;
    question.work += held_cost(job);
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
  return take_room(question, trial, who, std::move(room.victims));
}

Room take_room(const Question& question, Trial& trial, const Beneficiary& who,
               std::vector<JobId> victims) {
  question.work += task_count(who.demand);
  for (const JobId victim : victims) {
    const Job& job = *question.jobs.find(victim);
    question.work += held_cost(job);
    release_all(job, trial);
  }
  auto placement =
      question.placer.find(question.cluster, who.demand, question.asker(who.job), question.work);
  GYRE_ASSERT(placement);
  for (const TaskPlacement& task : *placement) trial.allocate(task.node, task.allocation);
  return {std::move(victims), std::move(*placement)};
}

}  // namespace gyre::reason
