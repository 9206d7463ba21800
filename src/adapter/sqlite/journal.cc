#include "adapter/sqlite/journal.h"

#include <utility>

#include "adapter/sqlite/database.h"
#include "adapter/sqlite/file_lock.h"
#include "adapter/sqlite/record_reader.h"
#include "adapter/sqlite/schema.h"
#include "adapter/sqlite/snapshots.h"
#include "base/assert.h"
#include "codec/journal_codec.h"
#include "control/replay.h"

namespace gyre::adapter::sqlite {
namespace {

// Pages of 4 KiB in the write-ahead log before they are moved into the database; the move stalls
// one commit for some ten milliseconds.
constexpr int kCheckpointPages = 4000;

const char* pragma_value(Sync sync) {
  switch (sync) {
    case Sync::Full:
      return "FULL";
    case Sync::Normal:
      return "NORMAL";
    case Sync::Off:
      return "OFF";
  }
  return "FULL";
}

Result<Database> open_for_writing(const JournalOptions& options) {
  auto database = Database::open(options.path, Database::Mode::ReadWrite, options.busy_timeout_ms);
  if (!database) return database;
  // Before anything is changed: the file may be somebody else's.
  if (auto done = bring_forward(*database, schema_scripts()); !done) {
    return tl::unexpected(done.error());
  }
  const auto mode = database->text("PRAGMA journal_mode=WAL");
  if (!mode) return tl::unexpected(mode.error());
  if (*mode != "wal") {
    return fail(ErrorKind::Unsupported,
                "journal '{}': its file system cannot share memory between processes, which the "
                "write-ahead log needs; put it on a local disk",
                options.path);
  }
  const auto set =
      database->execute(fmt::format("PRAGMA synchronous={};PRAGMA wal_autocheckpoint={}",
                                    pragma_value(options.sync), kCheckpointPages));
  if (!set) return tl::unexpected(set.error());
  return database;
}

std::string describe(const std::optional<Command>& command) {
  return command ? codec::encode(*command) : "none";
}

tl::unexpected<Error> diverged(const std::string& path, const control::Mismatch& mismatch) {
  return fail(ErrorKind::Invalid,
              "journal '{}': event {} led to other commands than recorded: recorded {}, now {}; "
              "start it with the Gyre version that wrote it (this is {})",
              path, mismatch.seq.value, describe(mismatch.recorded), describe(mismatch.computed),
              GYRE_VERSION);
}

}  // namespace

struct SqliteJournal::Impl {
  FileLock lock;
  Database database;
  Statement insert;
  std::string cluster_id;
  std::int64_t last_position;
  bool in_transaction = false;
  RecordRow cause{};               // the last event's
  std::optional<Error> failure{};  // the first; nothing is written after it

  Result<void> state() const {
    if (failure) return tl::unexpected(*failure);
    return {};
  }

  bool check(Result<void> done) {
    if (!done && !failure) failure = std::move(done.error());
    return !failure;
  }

  bool begin() {
    if (failure || in_transaction) return !failure;
    in_transaction = check(database.execute("BEGIN IMMEDIATE"));
    return in_transaction;
  }

  void write(RecordKind kind, const std::string& body) {
    if (!begin()) return;
    const RecordRow row{kind, cause.at, cause.seq};
    insert.bind(1, last_position + 1)
        .bind(2, static_cast<std::int64_t>(kind))
        .bind(3, row.at)
        .bind(4, row.seq)
        .bind(5, std::string_view(body))
        .bind(6, static_cast<std::int64_t>(checksum(row, body)));
    if (check(insert.run())) ++last_position;
  }

  Result<void> commit() {
    if (in_transaction && !failure) check(database.execute("COMMIT"));
    in_transaction = false;
    return state();
  }

  Result<Recovered> replay_after(const control::Config& config, std::optional<Snapshot> snapshot) {
    control::Controller core(config);
    if (snapshot) {
      auto restored = control::Controller::restore(config, snapshot->state);
      if (!restored) return tl::unexpected(std::move(restored.error()));
      core = std::move(*restored);
    }
    auto reader = RecordReader::open(database, snapshot ? snapshot->position : 0);
    if (!reader) return tl::unexpected(reader.error());
    auto report = control::replay(*reader, core, {1, true});
    if (!report) return tl::unexpected(report.error());
    if (!report->matches()) return diverged(database.path(), report->first_mismatches.front());
    return Recovered{std::move(core),
                     snapshot ? std::optional(snapshot->state.seq) : std::nullopt,
                     report->events,
                     {}};
  }
};

Result<Sync> sync_by_name(std::string_view name) {
  if (name == "full") return Sync::Full;
  if (name == "normal") return Sync::Normal;
  if (name == "off") return Sync::Off;
  return fail(ErrorKind::Invalid, "'{}' is no way to sync; there are full, normal and off", name);
}

SqliteJournal::SqliteJournal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteJournal::~SqliteJournal() = default;

Result<std::unique_ptr<SqliteJournal>> SqliteJournal::open(const JournalOptions& options) {
  auto lock = FileLock::take(options.path + ".lock");
  if (!lock) return tl::unexpected(lock.error());
  auto database = open_for_writing(options);
  if (!database) return tl::unexpected(database.error());
  auto last = database->integer("SELECT coalesce(max(position), 0) FROM records");
  if (!last) return tl::unexpected(last.error());
  auto cluster = database->text("SELECT value FROM meta WHERE key = 'cluster_id'");
  if (!cluster) return tl::unexpected(cluster.error());
  auto insert = database->prepare(
      "INSERT INTO records(position, kind, at, seq, body, checksum) VALUES(?, ?, ?, ?, ?, ?)");
  if (!insert) return tl::unexpected(insert.error());
  return std::unique_ptr<SqliteJournal>(new SqliteJournal(std::unique_ptr<Impl>(new Impl{
      std::move(*lock), std::move(*database), std::move(*insert), std::move(*cluster), *last})));
}

void SqliteJournal::append(const Event& event) {
  impl_->cause = {RecordKind::Event, event.at.ns, static_cast<std::int64_t>(event.seq.value)};
  impl_->write(RecordKind::Event, codec::encode(event));
}

void SqliteJournal::append(const Command& command) {
  impl_->write(RecordKind::Command, codec::encode(command));
}

Result<void> SqliteJournal::commit() { return impl_->commit(); }

Result<void> SqliteJournal::save(const ControllerState& state) {
  if (impl_->begin()) {
    impl_->check(save_snapshot(impl_->database, state, impl_->last_position));
  }
  return impl_->commit();
}

Result<Recovered> SqliteJournal::recover(const control::Config& config) {
  GYRE_ASSERT(!impl_->in_transaction);
  auto saved = snapshot_seqs(impl_->database);
  if (!saved) return tl::unexpected(saved.error());
  std::vector<std::string> refused;
  for (const std::int64_t seq : *saved) {
    auto snapshot = load_snapshot(impl_->database, seq);
    if (!snapshot) {
      refused.push_back(std::move(snapshot.error().message));
      continue;
    }
    auto recovered = impl_->replay_after(config, std::move(*snapshot));
    if (recovered) recovered->snapshots_refused = std::move(refused);
    return recovered;
  }
  auto recovered = impl_->replay_after(config, std::nullopt);
  if (recovered) recovered->snapshots_refused = std::move(refused);
  return recovered;
}

const std::string& SqliteJournal::cluster_id() const { return impl_->cluster_id; }

struct SqliteJournalReader::Impl {
  Database database;
  std::string cluster_id;
  std::string written_by;
  std::optional<RecordReader> records;
};

SqliteJournalReader::SqliteJournalReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteJournalReader::~SqliteJournalReader() = default;

Result<std::unique_ptr<SqliteJournalReader>> SqliteJournalReader::open(const std::string& path) {
  constexpr int kBusyTimeoutMs = 5000;
  auto database = Database::open(path, Database::Mode::ReadOnly, kBusyTimeoutMs);
  if (!database) return tl::unexpected(database.error());
  // One transaction for the version, the identity and all records: they belong together.
  if (auto begun = database->execute("BEGIN"); !begun) return tl::unexpected(begun.error());
  if (auto good = check_schema(*database); !good) return tl::unexpected(good.error());
  auto cluster = database->text("SELECT value FROM meta WHERE key = 'cluster_id'");
  if (!cluster) return tl::unexpected(cluster.error());
  auto written_by = database->text("SELECT value FROM meta WHERE key = 'created_by'");
  if (!written_by) return tl::unexpected(written_by.error());
  auto impl = std::unique_ptr<Impl>(
      new Impl{std::move(*database), std::move(*cluster), std::move(*written_by), std::nullopt});
  auto records = RecordReader::open(impl->database, 0);
  if (!records) return tl::unexpected(records.error());
  impl->records.emplace(std::move(*records));
  return std::unique_ptr<SqliteJournalReader>(new SqliteJournalReader(std::move(impl)));
}

Result<std::optional<control::Record>> SqliteJournalReader::next() {
  return impl_->records->next();
}

const std::string& SqliteJournalReader::cluster_id() const { return impl_->cluster_id; }
const std::string& SqliteJournalReader::written_by() const { return impl_->written_by; }

}  // namespace gyre::adapter::sqlite
