#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <vector>

#include "reason/preemption/reach.h"
#include "reason/question.h"
#include "reason/running.h"

namespace gyre::reason {

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
  /// What it costs to find one, besides what it holds, in units of work.
  virtual std::int64_t cost() const { return 0; }
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
  void put_back(const Job& job, Rank rank) override { returned_.insert(key_of(job, rank)); }
  Rank rank() const override { return rank_; }

  /// It is gone already.
  void leave_out(JobId job) { left_out_.insert(job); }
  /// Jobs that were looked at.
  std::int64_t looked_at() const { return looked_at_; }
  /// How often one was taken.
  std::int64_t tried() const { return tried_; }

 private:
  VictimKey key_of(const Job& job, Rank rank) const {
    return {~rank, Exposure(job).at(now_), job.id};
  }
  void refill();
  const VictimKey* first() const;

  using Next = std::set<std::pair<Rank, JobId>>::const_reverse_iterator;
  const JobTable& jobs_;
  Time now_;
  Next next_;
  Next end_;
  std::vector<VictimKey> ready_;  // ascending; those below `taken_` are taken
  std::size_t taken_ = 0;
  std::set<VictimKey> returned_;
  std::set<JobId> left_out_;
  std::int64_t looked_at_ = 0;
  std::int64_t tried_ = 0;
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
/// taken. Not so if nullopt: no set of them makes enough room. Adds jobs and node states that were
/// looked at to the work, whatever is left of it. O(distinct node states + n log n) for n jobs that
/// are tried, at most `tries_max`.
std::optional<Room> make_room(const Question& question, Trial& trial, const Beneficiary& who,
                              Victims& victims,
                              std::int64_t tries_max = std::numeric_limits<std::int64_t>::max());

/// The room that they leave; as make_room(). Requires: the beneficiary fits with them gone.
Room take_room(const Question& question, Trial& trial, const Beneficiary& who,
               std::vector<JobId> victims);

}  // namespace gyre::reason
