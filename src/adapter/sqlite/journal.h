#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/controller.h"
#include "control/journal.h"

namespace gyre::adapter::sqlite {

/// When a commit is told done. What is lost with each: Full: nothing. Normal: the last commits when
/// the machine loses power. Off: the file may be damaged when the machine loses power. None of them
/// loses a commit when the process dies.
enum class Sync : unsigned char { Full, Normal, Off };

Result<Sync> sync_by_name(std::string_view name);  // "full", "normal", "off"

struct JournalOptions {
  std::string path;  // the database file; created if it does not exist, readable by its owner only
  Sync sync = Sync::Full;
  bool reserve = false;        // take room on the disk for what is to be written
  int busy_timeout_ms = 5000;  // for a foreign process that holds the file's lock for a moment
};

/// A controller continued from a store.
struct Recovered {
  control::Controller core;
  std::optional<EventSeq> snapshot;            // the last event in the snapshot it started from
  std::uint64_t events_replayed = 0;           // after that
  std::vector<std::string> snapshots_refused;  // newer ones that were damaged, and how
  std::vector<std::string> repairs;            // of a torn end: what was cut off, where it is kept
};

/// The journal in one SQLite file in WAL mode. One transaction a commit, so records of one commit
/// share its sync (docs/adr/0005-journal.md). One writer at a time, kept out by a lock on
/// `<path>.lock`; readers are welcome meanwhile. Used by one thread.
///
/// A commit() that fails with NoRoom has written nothing; called again it writes the same, and what
/// was appended since. After another error of commit() or save() every later call returns it:
/// nothing more is written.
class SqliteJournal final : public control::Journal {
 public:
  /// Errors: Conflict, another process writes it; Unsupported, a newer version made it; Invalid, it
  /// is no Gyre journal, or is damaged; NoRoom and Internal, the disk. An older schema is brought
  /// forward.
  static Result<std::unique_ptr<SqliteJournal>> open(const JournalOptions& options);
  ~SqliteJournal() override;

  void append(const Event& event) override;
  void append(const Command& command) override;
  Result<void> commit() override;
  Result<void> save(const ControllerState& state) override;

  /// The core as the last commit left it: the newest whole snapshot, then every event after it.
  /// A core of an empty journal is a new one. Requires: nothing is appended and not committed.
  ///
  /// A torn end, damaged records with no whole one behind them, is cut off; of the last event that
  /// is whole the commands are decided again where they were cut. All of this happens, or nothing.
  /// Damaged snapshots are dropped. Errors: Invalid, damage before records that are whole, or
  /// commands that come out otherwise than recorded; the message names the event, and nothing was
  /// changed. Conflict, NoRoom and Internal: what is cut off cannot be kept, or the disk.
  Result<Recovered> recover(const control::Config& config);

  const std::string& cluster_id() const;  // 32 hexadecimal digits, made with the store
  /// Grows when the store is restored from a backup; 0 until then.
  std::uint64_t term() const;
  /// After a restoration or a repair, jobs that are lost may have had the ids below it.
  JobId first_job() const;

 private:
  struct Impl;
  explicit SqliteJournal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Reads a journal from its first record, as it stood when it was opened; also while a server
/// writes it. Holds back the reuse of the file's write-ahead log while it lives.
class SqliteJournalReader final : public control::JournalReader {
 public:
  /// Errors: as of SqliteJournal::open, and NotFound.
  static Result<std::unique_ptr<SqliteJournalReader>> open(const std::string& path);
  ~SqliteJournalReader() override;

  Result<std::optional<control::Record>> next() override;

  const std::string& cluster_id() const;
  const std::string& written_by() const;  // the Gyre version that made the store

 private:
  struct Impl;
  explicit SqliteJournalReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gyre::adapter::sqlite
