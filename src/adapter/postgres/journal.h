#pragma once

#include <memory>
#include <optional>
#include <string>

#include "adapter/postgres/connection.h"
#include "adapter/postgres/lease.h"
#include "base/result.h"
#include "control/journal.h"
#include "live/store.h"

namespace gyre::adapter::postgres {

struct JournalOptions {
  Target target;
  live::Sync sync = live::Sync::Full;
  Duration patience = seconds(10);  // with one answer of the database
  TakeOptions take;
};

/// The journal in the schema "gyre" of a PostgreSQL database (docs/adr/0031-postgresql.md). One
/// statement a commit, in which the database also looks whether this server still leads. Used by
/// one thread.
///
/// A commit() or save() that fails with Unavailable may or may not have been carried out; called
/// again it makes a new connection, finds out which, and goes on from there. After Conflict,
/// another server leads, every later call returns it: nothing more is written. So is it with all
/// other errors but NoRoom.
class PostgresJournal final : public live::Store {
 public:
  /// Takes the lease, and brings an older schema forward. Errors: as take_lease().
  static Result<std::unique_ptr<PostgresJournal>> open(const JournalOptions& options);
  ~PostgresJournal() override;

  void append(const Event& event) override;
  void append(const Command& command) override;
  Result<void> commit() override;
  Result<void> save(const ControllerState& state) override;
  Result<live::Recovered> recover(const control::Config& config) override;
  Result<void> recall(std::int64_t records_max, live::Recollection& into) override;
  const live::StoreIdentity& identity() const override;

  /// Who led before.
  const std::optional<Lease>& before() const;
  std::int64_t term() const;

 private:
  struct Impl;
  explicit PostgresJournal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Reads a journal from its first record, as it stood when it was opened; also while a server
/// writes it.
class PostgresJournalReader final : public control::JournalReader {
 public:
  /// Errors: the connection's, and as check_schema().
  static Result<std::unique_ptr<PostgresJournalReader>> open(const Target& target);
  ~PostgresJournalReader() override;

  Result<std::optional<control::Record>> next() override;

 private:
  struct Impl;
  explicit PostgresJournalReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gyre::adapter::postgres
