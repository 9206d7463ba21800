#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "control/controller.h"
#include "control/journal.h"
#include "control/replay.h"

namespace gyre::live {

/// When a commit is told done. What is lost with each: Full: nothing. Normal: the last commits when
/// the machine of the store loses power. Off: its files may be damaged then, where it keeps them
/// itself. None of them loses a commit when a process dies.
enum class Sync : unsigned char { Full, Normal, Off };

Result<Sync> sync_by_name(std::string_view name);  // "full", "normal", "off"

/// A controller continued from a store.
struct Recovered {
  control::Controller core;
  std::optional<EventSeq> snapshot;            // the last event in the snapshot it started from
  std::uint64_t events_replayed = 0;           // after that
  std::vector<std::string> snapshots_refused;  // newer ones that were damaged, and how
  std::vector<std::string> repairs;            // of a torn end: what was cut off, where it is kept
};

/// What a store is, beside its records.
struct StoreIdentity {
  std::string cluster_id;  // 32 hexadecimal digits, made with the store
  std::uint64_t term = 0;  // agents that have seen a server of a later one obey none of it
  JobId first_job;         // after a restoration or a repair: lost jobs may have had lower ids
  Duration lease_granted;  // how long a node may go on by what earlier servers gave it, if known
};

/// A journal that a server continues from. First implementations: adapter/sqlite, adapter/postgres.
class Store : public control::Journal {
 public:
  /// The core as the last commit left it: the newest whole snapshot, then every event after it. A
  /// core of an empty journal is a new one. Requires: nothing is appended and not committed.
  ///
  /// Damaged snapshots are dropped. Errors: Invalid, damage, or commands that come out otherwise
  /// than recorded; the message names the event, and nothing was changed. Others: the store's.
  virtual Result<Recovered> recover(const control::Config& config) = 0;

  virtual const StoreIdentity& identity() const = 0;
};

/// How one snapshot and the records behind it came out.
struct Continued {
  Result<Recovered> recovered;
  EventSeq reached;                             // the last event that was whole
  std::optional<control::ReplayReport> report;  // where all records could be read
};

/// Where a core starts from, and what is said of the journal that it is of.
struct ContinueOptions {
  std::string journal;  // its name in messages
  control::Config config;
  const ControllerState* snapshot = nullptr;  // null: a new core
  /// Commands may be missing behind the last event: they are in the report, as computed.
  bool may_lack_commands = false;
};

/// Replays what `reader` gives, which begins after the snapshot. Errors: the reader's; Invalid,
/// commands that come out otherwise.
Continued continue_core(control::JournalReader& reader, const ContinueOptions& options);

}  // namespace gyre::live
