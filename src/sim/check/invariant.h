#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/time.h"

namespace gyre::sim {

/// What must hold whatever the policy, the trace and the faults.
enum class Invariant : std::uint8_t {
  GpuOvercommit,      // no device gives more than it has
  CpuOvercommit,      // no node gives more CPU than it has
  MemoryOvercommit,   // no node gives more memory than it has
  GangWhole,          // all tasks of a gang start together, or none
  GangDistinctNodes,  // each on a node of its own
  GangTogether,       // all in one domain, where the job requires it
  PlacementKept,      // none where its placement rules forbid it, when it starts
  RequestHonoured,    // each gets what it asked for, on a node it may use
  LegalTransition,    // states follow the table of legal transitions, without a gap
  RunsOnce,           // a job has one attempt at a time, numbered without a gap
  NodeUp,             // nothing starts on a node that is down
  AllReleased,        // what does not run holds nothing
  JobsConserved,      // each submitted job waits, is placed or has ended; none is lost or made up
  QuotaKept,          // no queue goes beyond its limits; nobody gives back what it is guaranteed
  TrueReason,         // the reason given for waiting is true
  BooksAgree,         // the core's picture of the cluster is what follows from events and commands
  // Of a world with faults, where truth and belief may differ.
  TaskOnce,       // no task really runs twice at once
  DeviceShared,   // no device really runs more than it has
  TrueOutcome,    // what is called succeeded was
  RecoversAlike,  // a core from the journal is the one that was lost
  NoLeak,         // at the end nothing runs or is kept that the core does not know of
  ServiceKept,    // the core sends no ready replica away that its service still wants
  Converges,      // once the faults have stopped, all jobs end and all nodes take tasks
};

/// The name in messages and tests: "gpu-overcommit", ...
std::string_view to_string(Invariant invariant);

struct Violation {
  Invariant invariant = Invariant::GpuOvercommit;
  Time at;
  EventSeq seq;
  std::string detail;
};

/// One line for a person.
std::string describe(const Violation& violation);

}  // namespace gyre::sim
