#include "adapter/sqlite/journal.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "adapter/sqlite/backup.h"
#include "adapter/sqlite/damage.h"
#include "adapter/sqlite/database.h"
#include "adapter/sqlite/file_lock.h"
#include "adapter/sqlite/record_reader.h"
#include "adapter/sqlite/schema.h"
#include "adapter/sqlite/snapshots.h"
#include "adapter/sqlite/wal.h"
#include "base/assert.h"
#include "codec/journal_codec.h"
#include "control/replay.h"
#include "live/files.h"

namespace gyre::adapter::sqlite {
namespace {

// Pages of 4 KiB in the write-ahead log before they are moved into the database; the move stalls
// one commit for some ten milliseconds.
constexpr int kCheckpointPages = 4000;

// What is cut off by itself at most: some commits.
constexpr std::int64_t kTornRecordsMax = 10'000;

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
  const auto set = database->execute(
      fmt::format("PRAGMA synchronous={};PRAGMA wal_autocheckpoint={};PRAGMA cell_size_check=ON",
                  pragma_value(options.sync), kCheckpointPages));
  if (!set) return tl::unexpected(set.error());
  return database;
}

/// A record that waits for its commit.
struct Pending {
  RecordRow row;
  std::string body;
};

/// How a recovery from one snapshot came out.
struct Attempt {
  Result<live::Recovered> recovered;
  EventSeq reached;                     // the last event that was whole
  std::optional<std::int64_t> damaged;  // the record at which it failed
};

/// Snapshots that are of no use.
struct Refused {
  std::vector<std::int64_t> seqs;
  std::vector<std::string> how;

  void add(std::int64_t seq, std::string why) {
    seqs.push_back(seq);
    how.push_back(std::move(why));
  }
};

/// Takes room for the write-ahead log, so that others who fill the disk do not take it; a twentieth
/// of the disk at most. It is no error where that cannot be.
void reserve_log(const JournalOptions& options) {
  constexpr std::int64_t kFrameBytes = 24 + 4096;
  struct statvfs disk {};
  if (!options.reserve || ::statvfs(options.path.c_str(), &disk) != 0) return;
  const auto share = static_cast<std::int64_t>(disk.f_blocks * disk.f_frsize / 20);
  const int file = ::open((options.path + "-wal").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  static_cast<void>(
      ::fallocate(file, FALLOC_FL_KEEP_SIZE, 0, std::min(kFrameBytes * kCheckpointPages, share)));
  ::close(file);
}

/// Where commits wait for the disk none is begun before the last one is whole.
Result<WalReport> examine_log(const JournalOptions& options) {
  const std::string path = options.path + "-wal";
  auto report = examine_wal(path);
  if (!report) {
    return fail(report.error().kind, "{}{}", report.error().message, way_out(options.path, 0));
  }
  if (options.sync == Sync::Full && report->commits_torn > 1) {
    return fail(
        ErrorKind::Invalid,
        "journal's write-ahead log '{}': it is damaged behind frame {}, where {} commits end{}",
        path, report->frames, report->commits_torn, way_out(options.path, 0));
  }
  return report;
}

/// Whose journal it is, which is found out by reading alone.
Result<void> ask_whether_accepted(const JournalOptions& options) {
  if (!options.accepts) return {};
  auto database = Database::open(options.path, Database::Mode::ReadOnly, options.busy_timeout_ms);
  if (!database && database.error().kind == ErrorKind::NotFound) return options.accepts("");
  if (!database) return tl::unexpected(database.error());
  const auto cluster = cluster_id(*database);
  if (!cluster) return tl::unexpected(cluster.error());
  return options.accepts(*cluster);
}

/// What is cut off is kept. Returns what is to be said of it.
Result<std::vector<std::string>> keep_torn_log(const JournalOptions& options,
                                               const WalReport& report) {
  if (report.commits_torn == 0) return std::vector<std::string>{};
  const std::string path = options.path + "-wal";
  const std::string kept = fmt::format("{}.cut-{}", path, report.frames + 1);
  std::error_code error;
  std::filesystem::copy_file(path, kept, std::filesystem::copy_options::overwrite_existing, error);
  if (error) {
    return fail(ErrorKind::Internal, "cannot copy '{}' to '{}': {}", path, kept, error.message());
  }
  if (auto durable = live::make_durable(kept); !durable) return tl::unexpected(durable.error());
  return std::vector{
      fmt::format("the write-ahead log is whole up to frame {}; the {} frames behind it were cut "
                  "off and are kept in {}",
                  report.frames, report.torn, kept)};
}

}  // namespace

struct SqliteJournal::Impl {
  FileLock lock;
  Database database;
  Statement insert;
  live::StoreIdentity identity;
  std::int64_t last_position;
  std::vector<std::string> repairs{};
  RecordRow cause{};  // the last event's
  std::vector<Pending> pending{};
  std::optional<Error> failure{};  // the first that is for good; nothing is written after it

  void add(RecordKind kind, std::string body) {
    if (!failure) pending.push_back({{kind, cause.at, cause.seq}, std::move(body)});
  }

  Result<void> write(const Pending& record, std::int64_t position) {
    insert.bind(1, position)
        .bind(2, static_cast<std::int64_t>(record.row.kind))
        .bind(3, record.row.at)
        .bind(4, record.row.seq)
        .bind(5, std::string_view(record.body))
        .bind(6, static_cast<std::int64_t>(codec::checksum(record.row, record.body)));
    return insert.run();
  }

  Result<void> write_pending(std::int64_t position) {
    for (const Pending& record : pending) {
      if (auto done = write(record, ++position); !done) return done;
    }
    return {};
  }

  /// All that `work` writes, or nothing of it.
  template <class Work>
  Result<void> transact(Work work) {
    if (failure) return tl::unexpected(*failure);
    Result<void> done = database.execute("BEGIN IMMEDIATE");
    if (done) done = work();
    if (done) done = database.execute("COMMIT");
    if (done) return done;
    static_cast<void>(database.execute("ROLLBACK"));  // where SQLite has not done so by itself
    if (done.error().kind != ErrorKind::NoRoom) failure = done.error();
    return done;
  }

  Result<void> commit() {
    if (pending.empty() && !failure) return {};
    auto done = transact([this] { return write_pending(last_position); });
    if (!done) return done;
    written(last_position);
    return {};
  }

  /// All that was pending stands behind `position` now.
  void written(std::int64_t position) {
    last_position = position + static_cast<std::int64_t>(pending.size());
    pending.clear();
  }

  Result<std::optional<Snapshot>> newest_snapshot(Refused& refused);
  Attempt attempt(const control::Config& config, const std::optional<Snapshot>& snapshot,
                  bool decide_again);
  Result<void> check_torn(const Attempt& failed);
  Attempt mend(const control::Config& config, const std::optional<Snapshot>& snapshot,
               Attempt failed);
  void add_decided(const control::ReplayReport& report);
};

/// Errors: Invalid, the journal ends before its snapshot does.
Result<std::optional<Snapshot>> SqliteJournal::Impl::newest_snapshot(Refused& refused) {
  const auto saved = snapshot_seqs(database);
  if (!saved) return tl::unexpected(saved.error());
  for (const std::int64_t seq : *saved) {
    auto snapshot = load_snapshot(database, seq);
    if (!snapshot) {
      refused.add(seq, std::move(snapshot.error().message));
      continue;
    }
    if (snapshot->position > last_position) {
      return fail(ErrorKind::Invalid,
                  "journal '{}': it ends with record {}, but the snapshot after event {} was made "
                  "at record {}{}",
                  database.path(), last_position, seq, snapshot->position,
                  way_out(database.path(), 0));
    }
    const auto there = database.integer(fmt::format(
        "SELECT count(*) FROM records WHERE position = {} AND seq = {}", snapshot->position, seq));
    if (!there) return tl::unexpected(there.error());
    if (*there == 1) return std::optional(std::move(*snapshot));
    refused.add(seq, fmt::format("journal '{}': the snapshot after event {} names a wrong record",
                                 database.path(), seq));
  }
  return std::optional<Snapshot>();
}

/// `decide_again`: commands that are missing after the last event are made anew, and are pending.
Attempt SqliteJournal::Impl::attempt(const control::Config& config,
                                     const std::optional<Snapshot>& snapshot, bool decide_again) {
  auto reader = RecordReader::open(database, snapshot ? snapshot->position : 0);
  if (!reader) return {tl::unexpected(reader.error()), {}, {}};
  auto continued = live::continue_core(
      *reader, {database.path(), config, snapshot ? &snapshot->state : nullptr, decide_again});
  if (decide_again && continued.recovered) add_decided(*continued.report);
  return {std::move(continued.recovered), continued.reached, reader->damaged()};
}

void SqliteJournal::Impl::add_decided(const control::ReplayReport& report) {
  cause = {RecordKind::Event, report.last_time.ns,
           static_cast<std::int64_t>(report.last_event->value)};
  for (const control::Mismatch& mismatch : report.first_mismatches) {
    add(RecordKind::Command, codec::encode(*mismatch.computed));
  }
}

/// Errors: Invalid, whole records stand behind the damaged one, or it is more than a torn end.
Result<void> SqliteJournal::Impl::check_torn(const Attempt& failed) {
  const std::int64_t position = *failed.damaged;
  const auto behind = look_behind(database, position);
  if (!behind) return tl::unexpected(behind.error());
  if (behind->whole) {
    return fail(ErrorKind::Invalid, "{}, and whole records follow up to record {}{}",
                failed.recovered.error().message, *behind->whole,
                way_out(database.path(), failed.reached.value));
  }
  const std::int64_t behind_it = last_position - position;
  if (failed.reached == EventSeq{} || behind_it >= kTornRecordsMax) {
    return fail(ErrorKind::Invalid,
                "{}, and so are all {} behind it, which is more than a torn end{}",
                failed.recovered.error().message, behind_it,
                way_out(database.path(), failed.reached.value));
  }
  return {};
}

/// All of it is one transaction: a store whose end is cut and whose last commands are missing could
/// not be started. The ids of jobs that were cut off are not given anew: tasks of theirs may still
/// run.
Attempt SqliteJournal::Impl::mend(const control::Config& config,
                                  const std::optional<Snapshot>& snapshot, Attempt failed) {
  const std::int64_t position = *failed.damaged;
  std::string kept;
  JobId skipped_to;
  std::optional<Attempt> again;
  auto done = check_torn(failed);
  if (done) {
    done = transact([&]() -> Result<void> {
      auto file = cut_records(database, position);
      if (!file) return tl::unexpected(file.error());
      kept = std::move(*file);
      again.emplace(attempt(config, snapshot, true));
      if (!again->recovered) return tl::unexpected(again->recovered.error());
      if (auto added = write_pending(position - 1); !added) return added;
      skipped_to = {again->recovered->core.jobs().last().value + 1 +
                    static_cast<std::uint64_t>(kTornRecordsMax)};
      return set_meta_number(database, kFirstJob, skipped_to.value);
    });
  }
  if (!done) {
    pending.clear();
    failed.recovered = tl::unexpected(done.error());
    return failed;
  }
  repairs.push_back(fmt::format(
      "record {} and {} behind it were damaged; they were cut off and are kept in {}. The "
      "journal goes on after event {}",
      position, last_position - position, kept, failed.reached.value));
  identity.first_job = skipped_to;
  written(position - 1);
  return std::move(*again);
}

SqliteJournal::SqliteJournal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteJournal::~SqliteJournal() = default;

Result<std::unique_ptr<SqliteJournal>> SqliteJournal::open(const JournalOptions& options) {
  auto lock = FileLock::take(options.path + ".lock");
  if (!lock) return tl::unexpected(lock.error());
  const auto log = examine_log(options);
  if (!log) return tl::unexpected(log.error());
  if (auto taken = ask_whether_accepted(options); !taken) return tl::unexpected(taken.error());
  auto repairs = keep_torn_log(options, *log);
  if (!repairs) return tl::unexpected(repairs.error());
  auto database = open_for_writing(options);
  if (!database) return tl::unexpected(database.error());
  // Frames that were passed over must not be taken for this life's.
  if (!repairs->empty()) {
    if (auto done = database->execute("PRAGMA wal_checkpoint(TRUNCATE)"); !done) {
      return tl::unexpected(done.error());
    }
  }
  auto last = database->integer("SELECT coalesce(max(position), 0) FROM records");
  if (!last) return tl::unexpected(last.error());
  auto cluster = cluster_id(*database);
  if (!cluster) return tl::unexpected(cluster.error());
  const auto term = meta_number(*database, kTerm);
  if (!term) return tl::unexpected(term.error());
  const auto first_job = meta_number(*database, kFirstJob);
  if (!first_job) return tl::unexpected(first_job.error());
  reserve_log(options);
  auto insert = database->prepare(
      "INSERT INTO records(position, kind, at, seq, body, checksum) VALUES(?, ?, ?, ?, ?, ?)");
  if (!insert) return tl::unexpected(insert.error());
  return std::unique_ptr<SqliteJournal>(new SqliteJournal(
      std::unique_ptr<Impl>(new Impl{std::move(*lock),
                                     std::move(*database),
                                     std::move(*insert),
                                     {std::move(*cluster), *term, JobId{*first_job}, {}},
                                     *last,
                                     std::move(*repairs)})));
}

void SqliteJournal::append(const Event& event) {
  impl_->cause = {RecordKind::Event, event.at.ns, static_cast<std::int64_t>(event.seq.value)};
  impl_->add(RecordKind::Event, codec::encode(event));
}

void SqliteJournal::append(const Command& command) {
  impl_->add(RecordKind::Command, codec::encode(command));
}

Result<void> SqliteJournal::commit() { return impl_->commit(); }

Result<void> SqliteJournal::save(const ControllerState& state) {
  if (auto done = impl_->commit(); !done) return done;
  return impl_->transact(
      [&] { return save_snapshot(impl_->database, state, impl_->last_position); });
}

Result<live::Recovered> SqliteJournal::recover(const control::Config& config) {
  GYRE_ASSERT(impl_->pending.empty());
  Refused refused;
  const auto snapshot = impl_->newest_snapshot(refused);
  if (!snapshot) return tl::unexpected(snapshot.error());
  Attempt attempt = impl_->attempt(config, *snapshot, false);
  if (attempt.damaged) {
    attempt = impl_->mend(config, *snapshot, std::move(attempt));
  }
  if (attempt.recovered) {
    // One that cannot be dropped is refused at the next start too.
    static_cast<void>(drop_snapshots(impl_->database, refused.seqs));
    attempt.recovered->snapshots_refused = std::move(refused.how);
    attempt.recovered->repairs = std::exchange(impl_->repairs, {});
  }
  return std::move(attempt.recovered);
}

Result<void> SqliteJournal::recall(std::int64_t records_max, live::Recollection& into) {
  GYRE_ASSERT(impl_->pending.empty());
  Database& database = impl_->database;
  const auto saved = snapshot_seqs(database);
  if (!saved) return tl::unexpected(saved.error());
  const auto from = live::snapshot_to_recall<Snapshot>(
      *saved, impl_->last_position, records_max,
      [&](std::int64_t seq) { return load_snapshot(database, seq); });
  if (!from) return tl::unexpected(from.error());
  auto reader = RecordReader::open(database, *from ? (*from)->position : 0);
  if (!reader) return tl::unexpected(reader.error());
  const ControllerState* const state = *from ? &(*from)->state : nullptr;
  auto told = live::continue_core(*reader, {database.path(), {}, state, false, &into});
  if (!told.recovered) return tl::unexpected(told.recovered.error());
  return {};
}

const live::StoreIdentity& SqliteJournal::identity() const { return impl_->identity; }

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
