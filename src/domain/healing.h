#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/job_spec.h"

namespace gyre {

/// What is seen to be wrong. The first three are what an Xid error means; see domain/xid.h.
enum class Symptom : std::uint8_t {
  ApplicationFault,  // a GPU error that a program can cause
  DeviceFault,       // a GPU error that it cannot
  UnknownGpuError,   // one that is in no table: taken for the worst, not acted on as such
  NodeLost,
  StartRefused,    // the node could not start a task
  TaskStalled,     // no progress and no activity for a window
  TaskFailed,      // ended by itself with an error
  GpuUnknown,      // nobody can tell how a device is
  TaskUnrecorded,  // ran, and the journal knew nothing of it
  JournalDamaged,  // the server's own store, of no node
  StorageFull,     // no room for that store
  StoreAway,       // its database did not answer
  LeaderLost,      // the server that led before this one
};
inline constexpr std::size_t kSymptomCount = 13;
std::string_view to_string(Symptom symptom);  // "application_fault", ...
std::string_view diagnosis(Symptom symptom);  // what it is taken for; one line for a person

/// What is done about it.
enum class Remedy : std::uint8_t {
  Note,        // nothing but to remember; a job's own retry rules do the rest
  Quarantine,  // nothing new is put on the node until it has been without symptoms for a while
  Evacuate,    // as Quarantine, and what may be preempted leaves it
  Cordon,      // nothing new is put on the node until a person puts it back
  Drain,       // as Cordon, and what may be preempted leaves it
};
std::string_view to_string(Remedy remedy);  // "note", "quarantine", "evacuate", ...
/// The least that does what both do.
Remedy join(Remedy a, Remedy b);
/// What may be preempted leaves the node.
bool evacuates(Remedy remedy);
/// The node comes back by a person's word alone.
bool waits_for_person(Remedy remedy);

/// What is done to the hardware of a node that is out of service, once nothing runs there. Of those
/// before the last each contains the ones before it.
enum class Repair : std::uint8_t {
  None,
  Reset,    // of the GPU whose error it was
  Reboot,   // of the machine
  Replace,  // of the machine by another one, which comes under the same name
  BurnIn,   // a test, before the node comes back
};
std::string_view to_string(Repair repair);  // "none", "reset", ..., "burn-in"

/// One rule of a playbook: so many such symptoms of one node within a time, then this.
struct HealingRule {
  Symptom on = Symptom::DeviceFault;
  std::int32_t times = 1;
  Duration within = seconds(86'400);
  Remedy then = Remedy::Note;
  std::int32_t xid = 0;          // of the symptoms that are GPU errors only this one; 0: any
  Repair repair = Repair::None;  // but BurnIn
  bool burn_in = false;          // the node comes back by that alone
  std::string playbook = {};     // whose it is; empty: before they had names
  bool operator==(const HealingRule&) const = default;
};

/// A playbook: what is done by itself, and its bounds. Without rules nothing is.
struct HealingSpec {
  std::string name = "default";
  std::vector<HealingRule> rules;       // for a symptom all that apply, together
  Duration quarantine = seconds(1800);  // the first of a node; each further one twice as long
  Duration quarantine_max = seconds(86'400);
  std::int32_t quarantined_percent_max = 20;  // of all nodes at once; rounded down
  std::int32_t quarantines_per_hour_max = 0;  // of all nodes; 0: no limit
  Duration remember = seconds(7LL * 86'400);  // a node's symptoms; meanwhile others are preferred
  std::int32_t backoff_jitter_percent = 25;   // added to a retry's backoff at most
  Duration repair_max = seconds(1800);        // of one; what came of it is unknown then

  bool operator==(const HealingSpec&) const = default;
};
/// The name of a playbook that has none of its own: "device-fault", ...
std::string playbook_name(Symptom symptom);
/// What `gyre up` begins with.
HealingSpec default_healing();
/// Errors: a setting out of its range, two rules for the same that contradict each other.
Result<void> validate(const HealingSpec& spec);
/// For one that somebody has written: besides, a rule that can never apply, or that never adds to
/// what another has done by then.
Result<void> review(const HealingSpec& spec);

/// A repair that was ordered, and whose outcome is waited for.
struct RepairUnderway {
  Repair repair = Repair::None;
  std::int32_t device = -1;
  CommandId command;
  std::uint64_t incident = 0;
  Time at;
  bool operator==(const RepairUnderway&) const = default;
};

/// What a node has shown.
struct NodeHealth {
  struct Sighting {
    Symptom symptom = Symptom::DeviceFault;
    Time at;
    std::optional<JobId> job;  // whose task showed it
    std::int32_t xid = 0;      // 0: none
    bool operator==(const Sighting&) const = default;
  };
  std::vector<Sighting> seen;             // by time; the latest kSightingsMax that are remembered
  std::optional<Time> quarantined_until;  // Time::max(): until a person puts it back
  std::int32_t quarantines = 0;
  std::optional<RepairUnderway> underway;  // a repair whose outcome is waited for
  bool rested = false;    // the time of its quarantine is over, but not its repairs
  bool given_up = false;  // one failed: no more before a person puts it back

  bool operator==(const NodeHealth&) const = default;
};
inline constexpr std::size_t kSightingsMax = 32;

/// One repair, and what came of it.
struct RepairStep {
  Repair repair = Repair::None;
  std::int32_t device = -1;  // of a Reset
  Time at;
  std::optional<Time> ended_at;
  bool good = false;   // once it has ended
  std::string detail;  // one line for a person
  bool operator==(const RepairStep&) const = default;
};

/// By what a job's work is kept when it is told to leave a node.
enum class Keeping : std::uint8_t {
  Nothing,           // it makes no checkpoints: it begins anew
  LastCheckpoint,    // it makes them by itself: what it did since the last one is lost
  CheckpointSignal,  // its own signal is sent, and it has its grace to save its work
};
std::string_view to_string(Keeping keeping);  // "nothing", "last_checkpoint", "checkpoint_signal"
Keeping keeping_of(const Checkpoint& checkpoint);

/// A job that was told to leave a node for an incident.
struct Move {
  JobId job;
  Keeping kept = Keeping::Nothing;
  bool operator==(const Move&) const = default;
};

/// One thing that went wrong, from detection to recovery.
struct Incident {
  enum class Outcome : std::uint8_t {
    Noted,      // nothing was to be done
    Open,       // is being healed
    Held,       // the remedy would have taken too many nodes, or too fast; applied when it may
    Recovered,  // runs again, or is back in service
    Undone,     // a person put the node back
    Ended,      // the job was over before it ran again
    Failed,     // a repair failed, or nobody knows; the node waits for a person
  };
  std::uint64_t id = 0;  // from 1
  Symptom symptom = Symptom::DeviceFault;
  std::optional<NodeId> node;
  std::optional<JobId> job;  // what was interrupted
  std::int32_t xid = 0;      // 0: none
  std::string evidence;      // one line for a person
  Remedy remedy = Remedy::Note;
  Outcome outcome = Outcome::Noted;
  Time at;
  std::optional<Time> closed_at;
  std::int32_t repeats = 0;      // the same of the same node while it was open
  Repair repair = Repair::None;  // that is to be done, each once
  bool burn_in = false;
  std::uint16_t devices = 0;      // bit i: GPU i has shown it
  std::vector<RepairStep> steps;  // by time, kRepairStepsMax at most
  std::vector<Move> moved;        // the latest kMovesMax that left the node for it, by time
  std::string playbook;           // that answered it; of several the one that asks for most

  bool operator==(const Incident&) const = default;
};
inline constexpr std::size_t kIncidentsMax = 1000;  // the oldest are forgotten
inline constexpr std::size_t kRepairStepsMax = 32;  // of one; then it has failed
inline constexpr std::size_t kMovesMax = 64;
inline constexpr std::size_t kRepairDetailMax = 500;    // bytes
std::string_view to_string(Incident::Outcome outcome);  // "noted", "open", ...

/// All that healing remembers.
struct HealingState {
  HealingSpec spec;
  std::vector<NodeHealth> nodes;    // by id
  std::vector<Incident> incidents;  // by id
  std::uint64_t last_incident = 0;
  std::vector<Time> taken;  // nodes out of service, of the last hour, by time
  bool operator==(const HealingState&) const = default;
};

}  // namespace gyre
