#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "control/controller.h"
#include "control/driver.h"
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

/// Is told what the end of a journal holds, as it was when it happened.
class Recollection : public control::Observer {
 public:
  /// The core that the events to come are told to.
  virtual void begin(const control::Controller& core) = 0;
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

  /// Tells `into` what the last `records_max` records at most led to, or those after the newest
  /// snapshot where these are more. Requires: nothing is appended and not committed. Errors: as of
  /// recover(); what was told is of no use then.
  virtual Result<void> recall(std::int64_t records_max, Recollection& into) = 0;

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
  Recollection* into = nullptr;  // is told of all that is replayed
};

/// Replays what `reader` gives, which begins after the snapshot. Errors: the reader's; Invalid,
/// commands that come out otherwise.
Continued continue_core(control::JournalReader& reader, const ContinueOptions& options);

/// Of the snapshots at `seqs`, newest first, as `load` gives them, the oldest with `records_max`
/// records behind it at most; the newest where none is so near, and none where the whole journal
/// is. Errors: none of them can be loaded, the newest one's.
template <class Snapshot>
Result<std::optional<Snapshot>> snapshot_to_recall(
    const std::vector<std::int64_t>& seqs, std::int64_t last_position, std::int64_t records_max,
    const std::function<Result<Snapshot>(std::int64_t)>& load) {
  if (last_position <= records_max || seqs.empty()) return std::optional<Snapshot>();
  for (auto seq = seqs.rbegin(); seq + 1 != seqs.rend(); ++seq) {
    auto older = load(*seq);
    if (older && last_position - older->position <= records_max) return std::optional(*older);
  }
  return load(seqs.front()).map([](Snapshot&& one) { return std::optional(std::move(one)); });
}

}  // namespace gyre::live
