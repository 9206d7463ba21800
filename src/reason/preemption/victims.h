#pragma once

#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "reason/question.h"
#include "reason/running.h"

namespace gyre::reason {

/// GPU time that stopping the job now would waste: its GPUs times the time since its last
/// checkpoint, in milli-GPU-nanoseconds; without checkpoints, since its start.
double work_at_risk(const Job& job, Time now);

/// Running jobs that may be stopped for others, the best to stop first. For one pass over a line:
/// what is taken stays taken.
class Victims {
 public:
  virtual ~Victims() = default;
  /// The next one whose rank is beyond `bar`; nullptr if there is none.
  virtual const Job* take(Rank bar) = 0;
  virtual void put_back(const Job& job, Rank rank) = 0;
  /// Of the last one taken.
  virtual Rank rank() const = 0;
};

/// By rank, the worst first, of equal ones that with the least work at risk.
class RankedVictims final : public Victims {
 public:
  RankedVictims(const Running& running, const JobTable& jobs, Time now)
      : jobs_(jobs),
        now_(now),
        next_(running.evictable().rbegin()),
        end_(running.evictable().rend()) {}
  /// Of these alone.
  RankedVictims(const std::vector<JobId>& among, const Running& running, const JobTable& jobs,
                Time now);

  const Job* take(Rank bar) override;
  void put_back(const Job& job, Rank rank) override {
    ready_.insert({~rank, work_at_risk(job, now_), job.id});
  }
  Rank rank() const override { return rank_; }

 private:
  void refill();

  using Next = std::set<std::pair<Rank, JobId>>::const_reverse_iterator;
  const JobTable& jobs_;
  Time now_;
  Next next_;
  Next end_;
  std::set<std::tuple<Rank, double, JobId>> ready_;  // by ~rank: -rank may overflow
  Rank rank_ = 0;
};

struct Room {
  std::vector<JobId> victims;
  std::vector<TaskPlacement> placement;
};

/// Who is to have room, and from whom: running jobs that stand beyond `bar`.
struct Beneficiary {
  JobId job;
  const Demand& demand;
  Rank bar = 0;
};

/// Running jobs beyond the bar whose end would let the beneficiary start, none that could be
/// spared, and where it would start then. They are gone in `trial` afterwards, and the placement is
/// taken. Not so if nullopt: no set of them makes enough room, or the work was spent before one was
/// found. O(distinct node states + n log n) for n jobs that are tried.
std::optional<Room> make_room(const Question& question, Trial& trial, const Beneficiary& who,
                              Victims& victims);

}  // namespace gyre::reason
