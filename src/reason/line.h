#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "domain/reservation.h"
#include "reason/preemption/node_parts.h"
#include "reason/preemption/prospect.h"
#include "reason/queueing/waiting_list.h"
#include "reason/running.h"

namespace gyre::reason {

/// What must be looked at again in a partition.
enum class Stale : std::uint8_t { Nothing, OneArrival, Everything };

/// A job that others are being stopped for, and the room that they leave. It is in no list
/// meanwhile.
struct Claim {
  Waiting entry;
  Reservation room;
};

/// Where a pass over a line that ran out of work goes on in the next cycle.
struct Unfinished {
  bool way_made = false;          // evictions are decided: what may overtake is left
  std::optional<OrderKey> after;  // the last job looked at
};

/// One partition's line and what runs ahead of it. Everything but the reservation follows from the
/// jobs.
struct Line {
  WaitingList waiting;       // jobs that fit the nodes that are up, were they empty
  WaitingList parked;        // jobs that do not
  std::set<JobId> starving;  // waiting jobs that go before all others
  std::set<std::pair<Time, JobId>> patience;  // the other waiting ones, by when they will
  Running running;                            // jobs that hold an allocation
  std::map<JobId, Claim> claims;
  NodeParts claimed;             // what they are for
  Prospect unclaimed;            // what is left for who is in line
  Prospect after_leave;          // what is left of that once all who are being stopped are gone
  std::set<JobId> claims_ready;  // those whose victims are gone
  std::map<JobId, std::int32_t> making_room;  // jobs that are being stopped, by for whom
  std::optional<Reservation> reservation;
  bool reservation_stale = false;  // freed resources came earlier or later than it assumed
  std::optional<Unfinished> unfinished;
  bool crowded = false;  // the last pass for evictions left those out who are behind many with room
  bool behind = false;   // the last cycle left reviews of standings undone
  std::uint64_t unheld = 0;  // grows when room that was held for a claim is free
  bool governed = false;  // by quotas: jobs wait at the gate of FairShare before they are in line
  std::size_t in_line_max = 0;  // that quotas let in
  Stale stale = Stale::Nothing;
  std::optional<Waiting> arrival;   // the one entry since the last cycle, where stale is OneArrival
  std::set<std::uint32_t> demands;  // those that someone in `waiting` has
};

}  // namespace gyre::reason
