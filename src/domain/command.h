#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "domain/healing.h"
#include "domain/job.h"

namespace gyre {

/// Why this job and why now; kept with the command, for people.
enum class StartRule : std::uint8_t {
  HeadOfLine,  // its turn
  Backfill,    // overtook the head without delaying it
};

/// Start every task of one attempt, or none. Outcome: TaskStarted or TaskEnded for each rank.
struct StartGang {
  JobId job;
  std::int32_t attempt = 0;
  std::vector<TaskPlacement> placement;
  StartRule rule = StartRule::HeadOfLine;
  std::int32_t with_image = 0;  // tasks whose nodes are known to hold their image
  bool operator==(const StartGang&) const = default;
};

/// Start one task of a gang anew, elsewhere, under an attempt of its own, while the others run on.
/// Outcome: TaskStarted or TaskEnded for it.
struct ReplaceTask {
  JobId job;
  std::int32_t attempt = 0;
  TaskPlacement task;
  NodeId lost;        // where it was; for a person, as `cause`
  std::string cause;  // what became of it there
  bool operator==(const ReplaceTask&) const = default;
};

/// End every task of a job that has not ended, whatever its own attempt: the checkpoint signal if
/// there is one and the cause is Preempted, then SIGTERM, then SIGKILL after `grace`. Outcome:
/// TaskEnded for each rank that has not ended yet. Stopping what has ended is no error.
struct StopGang {
  JobId job;
  std::int32_t attempt = 0;  // the job's when it is stopped; of a gang that of the last start
  Termination cause = Termination::None;
  JobId beneficiary;  // the job that preempted it; 0 for none
  Duration grace;
  bool operator==(const StopGang&) const = default;
};

/// Nothing new is put on the node before `until`, nor before ReleaseNode; with `evacuate`, what may
/// be preempted leaves it, by commands of their own. For the record: no outcome is waited for.
struct QuarantineNode {
  NodeId node;
  Time until;
  bool evacuate = false;
  std::uint64_t incident = 0;
  bool operator==(const QuarantineNode&) const = default;
};
/// The node may be given tasks again, as far as healing goes. For the record.
struct ReleaseNode {
  NodeId node;
  std::uint64_t incident = 0;  // 0: none is kept any more
  bool operator==(const ReleaseNode&) const = default;
};

/// Repair the hardware of a node that is in quarantine, where nothing runs. Outcome: RepairEnded,
/// one at a time for a node.
struct RepairNode {
  NodeId node;
  Repair repair = Repair::None;
  std::int32_t device = -1;  // of a Reset
  std::uint64_t incident = 0;
  Time asked_at;
  Duration limit;  // it is ended then, and was not good
  bool operator==(const RepairNode&) const = default;
};

/// Fetch the job's image, before it starts there or another replica of its service does. A node
/// that cannot does nothing: its outcome, if any, is a NodeImagesSeen.
struct PrefetchImage {
  NodeId node;
  JobId job;
  bool operator==(const PrefetchImage&) const = default;
};

/// Halt all processes of one attempt where they are, with all that they hold, or let them go on.
/// For the record: what does not obey is only busier, or slower to answer, than it could be.
struct FreezeGang {
  JobId job;
  std::int32_t attempt = 0;
  bool frozen = false;
  bool operator==(const FreezeGang&) const = default;
};

/// An intent of the core. `id` is its idempotency key: a world that sees one twice acts once.
struct Command {
  CommandId id;
  std::variant<StartGang, StopGang, QuarantineNode, ReleaseNode, RepairNode, PrefetchImage,
               FreezeGang, ReplaceTask>
      body;
  bool operator==(const Command&) const = default;
};

using Commands = std::vector<Command>;

/// A job changed state; follows from the events alone, so it is told but not journalled.
struct Transition {
  Time at;
  JobId job;
  std::int32_t attempt = 0;
  JobState from = JobState::Queued;
  JobState to = JobState::Queued;  // equal to `from` only for a job's arrival in the queue
  Termination cause = Termination::None;
  bool operator==(const Transition&) const = default;
};

}  // namespace gyre
