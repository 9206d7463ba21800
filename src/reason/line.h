#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "domain/reservation.h"
#include "reason/queueing/waiting_list.h"
#include "reason/running.h"

namespace gyre::reason {

/// What must be looked at again in a partition.
enum class Stale : std::uint8_t { Nothing, OneArrival, Everything };

/// One partition's line and what runs ahead of it. Everything but the reservation follows from the
/// jobs.
struct Line {
  WaitingList waiting;  // jobs that fit the nodes that are up, were they empty
  WaitingList parked;   // jobs that do not
  Running running;      // jobs that hold an allocation
  std::optional<Reservation> reservation;
  bool reservation_stale = false;  // freed resources came earlier or later than it assumed
  bool exhausted = false;          // the last cycle ran out of work before it had seen all
  Stale stale = Stale::Nothing;
  std::optional<Waiting> arrival;   // the one entry since the last cycle, where stale is OneArrival
  std::set<std::uint32_t> demands;  // those that someone in `waiting` has
};

}  // namespace gyre::reason
