#pragma once

#include <optional>
#include <vector>

#include "domain/reservation.h"
#include "reason/question.h"
#include "reason/running.h"

namespace gyre::reason {

/// A plan of when and where waiting jobs start if all run as long as expected, made in line order,
/// so that none delays one before it (conservative backfill: Mu'alem and Feitelson, TPDS 2001).
/// Made anew when anything changes, which compresses it. For one partition, for one moment.
class Schedule {
 public:
  Schedule(const Question& question, PartitionId partition, const Running& running);

  /// Plans one more job at the earliest time that delays none of those planned before. nullopt if
  /// there is no such time, or the work is spent. O(endings * (planned + search)).
  std::optional<Reservation> plan(JobId job, const Demand& demand, Duration expected);
  /// Whether the job that was to be planned last would not even fit were all gone that end.
  bool never_fits() const { return never_fits_; }
  /// The job planned last has started: the cluster holds its room now.
  void started();

 private:
  struct Planned {
    Reservation room;
    Time end;
    std::int64_t gpu_milli = 0;
    bool started = false;  // the cluster holds it; it gives it back at its end
  };

  std::optional<Time> fits_at(const Demand& demand) const;
  std::vector<Time> times() const;
  bool enough_in_sum(Time at, const Demand& demand) const;
  std::optional<Reservation> room_at(Time at, JobId job, const Demand& demand, Duration expected);

  Question question_;
  PartitionId partition_;
  std::vector<Ending> endings_;  // of what runs, ascending
  std::vector<Planned> planned_;
  bool never_fits_ = false;
};

}  // namespace gyre::reason
