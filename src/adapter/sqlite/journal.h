#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/journal.h"
#include "live/store.h"

namespace gyre::adapter::sqlite {

using live::Sync;

struct JournalOptions {
  std::string path;  // the database file; created if it does not exist, readable by its owner only
  Sync sync = Sync::Full;
  bool reserve = false;        // take room on the disk for what is to be written
  int busy_timeout_ms = 5000;  // for a foreign process that holds the file's lock for a moment
  /// Asked whose journal it is before a byte of it is changed, "" where it is nobody's yet; its
  /// error is open()'s. Null: any will do.
  std::function<Result<void>(const std::string& cluster_id)> accepts{};
};

/// The journal in one SQLite file in WAL mode. One transaction a commit, so records of one commit
/// share its sync (docs/adr/0005-journal.md). One writer at a time, kept out by a lock on
/// `<path>.lock`; readers are welcome meanwhile. Used by one thread.
///
/// A commit() that fails with NoRoom has written nothing; called again it writes the same, and what
/// was appended since. After another error of commit() or save() every later call returns it:
/// nothing more is written.
class SqliteJournal final : public live::Store {
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

  /// A torn end, damaged records with no whole one behind them, is cut off; of the last event that
  /// is whole the commands are decided again where they were cut. All of this happens, or nothing.
  /// Errors: Invalid, also damage before records that are whole; Conflict, NoRoom and Internal:
  /// what is cut off cannot be kept, or the disk.
  Result<live::Recovered> recover(const control::Config& config) override;
  Result<void> recall(std::int64_t records_max, live::Recollection& into) override;

  /// Its term grows when the store is restored from a backup; 0 until then.
  const live::StoreIdentity& identity() const override;

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
