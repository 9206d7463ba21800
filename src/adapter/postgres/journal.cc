#include "adapter/postgres/journal.h"

#include <utility>
#include <vector>

#include "adapter/postgres/record_reader.h"
#include "adapter/postgres/schema.h"
#include "adapter/postgres/snapshots.h"
#include "base/assert.h"
#include "codec/journal_codec.h"
#include "codec/record.h"

namespace gyre::adapter::postgres {
namespace {

using codec::RecordKind;
using codec::RecordRow;

/// Its row lock is what a server that takes over waits for: what is written under it is there
/// before that one reads, or never is.
constexpr const char* kHeld = "SELECT 1 FROM lease WHERE term = $1 AND session = $2 FOR SHARE";
constexpr const char* kAppend =
    "WITH held AS MATERIALIZED (SELECT 1 FROM lease WHERE term = $1 AND session = $2 FOR SHARE) "
    "INSERT INTO records(position, kind, at, seq, body, checksum) "
    "SELECT $3::bigint + r.n, r.kind, r.at, r.seq, r.body, r.checksum FROM held, "
    "unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[]) "
    "WITH ORDINALITY AS r(kind, at, seq, body, checksum, n)";

/// Full is never less than what the database is set to.
const char* sync_setting(live::Sync sync) {
  return sync == live::Sync::Full
             ? "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') "
               "WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)"
             : "SELECT set_config('synchronous_commit', 'off', false)";
}

/// A record that waits for its commit.
struct Pending {
  RecordRow row;
  std::string body;
};

/// A connection that commits as durably as is wished.
Result<Connection> open_writer(const JournalOptions& options) {
  auto connection = Connection::open(options.target, options.patience);
  if (!connection) return connection;
  if (auto set = connection->ask(sync_setting(options.sync)); !set) {
    return tl::unexpected(set.error());
  }
  return connection;
}

Result<std::int64_t> last_position(Connection& connection) {
  const auto last = connection.ask("SELECT coalesce(max(position), 0) FROM records");
  if (!last) return tl::unexpected(last.error());
  return last->integer(0, 0);
}

Result<live::StoreIdentity> read_identity(Connection& connection, const Taken& taken) {
  auto cluster = cluster_id(connection);
  if (!cluster) return tl::unexpected(cluster.error());
  const auto rows = connection.ask(
      "SELECT coalesce((SELECT value::bigint FROM meta WHERE key = 'first_job'), 0)");
  if (!rows) return tl::unexpected(rows.error());
  return live::StoreIdentity{std::move(*cluster), static_cast<std::uint64_t>(taken.term),
                             JobId{static_cast<std::uint64_t>(rows->integer(0, 0))},
                             seconds(taken.node_lease_s) + kLease};
}

}  // namespace

struct PostgresJournal::Impl {
  JournalOptions options;
  std::optional<Connection> connection;  // none: it was lost, and what was pending is in doubt
  Taken taken;
  live::StoreIdentity identity;
  std::int64_t last_position;
  RecordRow cause{};  // the last event's
  std::vector<Pending> pending{};
  std::optional<Error> failure{};  // the first that is for good; nothing is written after it

  void add(RecordKind kind, std::string body) {
    if (!failure) pending.push_back({{kind, cause.at, cause.seq}, std::move(body)});
  }

  /// What an error means for what comes next.
  tl::unexpected<Error> met(Error error) {
    if (error.kind == ErrorKind::Unavailable) connection.reset();
    const bool passes = error.kind == ErrorKind::Unavailable || error.kind == ErrorKind::NoRoom;
    if (!passes) failure = error;
    return tl::unexpected(std::move(error));
  }

  Error fenced() {
    const auto lease = read_lease(*connection);
    const std::string who = lease && *lease ? (*lease)->holder.name : "its name is not known";
    return {ErrorKind::Conflict,
            fmt::format("another server leads on the journal {}: {}; what this one still wanted to "
                        "write was not written",
                        options.target.shown, who)};
  }

  void written() {
    last_position += static_cast<std::int64_t>(pending.size());
    pending.clear();
  }

  Result<void> connect();
  Result<void> settle();
  Result<void> append();
  Result<void> commit();
  Result<std::optional<Snapshot>> newest_snapshot(std::vector<std::int64_t>& refused,
                                                  std::vector<std::string>& how);
};

/// A new connection in the place of one that was lost, and certainty about what was pending then.
Result<void> PostgresJournal::Impl::connect() {
  if (connection) return {};
  auto opened = open_writer(options);
  if (!opened) return tl::unexpected(opened.error());
  const auto session = take_session(*opened, taken.term);
  if (!session) return tl::unexpected(session.error());
  connection.emplace(std::move(*opened));
  taken.session = *session;
  return settle();
}

/// Nothing of the connection before can be written any more, and nobody else writes: so what was
/// pending is there whole, or not at all.
Result<void> PostgresJournal::Impl::settle() {
  const auto last = postgres::last_position(*connection);
  if (!last) return tl::unexpected(last.error());
  if (*last == last_position) return {};
  if (*last == last_position + static_cast<std::int64_t>(pending.size())) {
    written();
    return {};
  }
  return fail(ErrorKind::Internal,
              "journal '{}': it ends with record {}, but this server, which leads, has written {}; "
              "see who else writes into that database",
              options.target.shown, *last, last_position);
}

Result<void> PostgresJournal::Impl::append() {
  std::vector<std::int64_t> kinds;
  std::vector<std::int64_t> times;
  std::vector<std::int64_t> seqs;
  std::vector<std::int64_t> sums;
  std::vector<std::string_view> bodies;
  for (const Pending& record : pending) {
    kinds.push_back(static_cast<std::int64_t>(record.row.kind));
    times.push_back(record.row.at);
    seqs.push_back(record.row.seq);
    sums.push_back(codec::checksum(record.row, record.body));
    bodies.emplace_back(record.body);
  }
  const auto done = connection->ask(
      kAppend, {number(taken.term), number(taken.session), number(last_position), numbers(kinds),
                numbers(times), numbers(seqs), texts(bodies), numbers(sums)});
  if (!done) return tl::unexpected(done.error());
  if (done->affected() == 0) return tl::unexpected(fenced());
  written();
  return {};
}

Result<void> PostgresJournal::Impl::commit() {
  if (failure) return tl::unexpected(*failure);
  // A connection may have been lost since the last commit: that is no outage yet.
  for (bool again = connection.has_value(); !pending.empty(); again = false) {
    if (auto there = connect(); !there) return met(there.error());
    if (pending.empty()) return {};  // it had been carried out
    auto done = append();
    if (done) return done;
    if (!again || done.error().kind != ErrorKind::Unavailable) return met(done.error());
    connection.reset();
  }
  return {};
}

/// Errors: Invalid, the journal ends before its snapshot does.
Result<std::optional<Snapshot>> PostgresJournal::Impl::newest_snapshot(
    std::vector<std::int64_t>& refused, std::vector<std::string>& how) {
  const auto saved = snapshot_seqs(*connection);
  if (!saved) return tl::unexpected(saved.error());
  for (const std::int64_t seq : *saved) {
    auto snapshot = load_snapshot(*connection, seq);
    if (!snapshot && snapshot.error().kind != ErrorKind::Invalid) {
      return tl::unexpected(snapshot.error());
    }
    if (snapshot && snapshot->position > last_position) {
      return fail(ErrorKind::Invalid,
                  "journal '{}': it ends with record {}, but the snapshot after event {} was made "
                  "at record {}; restore a backup of the database",
                  connection->shown(), last_position, seq, snapshot->position);
    }
    if (snapshot) return std::optional(std::move(*snapshot));
    refused.push_back(seq);
    how.push_back(std::move(snapshot.error().message));
  }
  return std::optional<Snapshot>();
}

PostgresJournal::PostgresJournal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PostgresJournal::~PostgresJournal() = default;

Result<std::unique_ptr<PostgresJournal>> PostgresJournal::open(const JournalOptions& options) {
  auto connection = open_writer(options);
  if (!connection) return tl::unexpected(connection.error());
  auto taken = take_lease(*connection, options.take);
  if (!taken) return tl::unexpected(taken.error());
  auto identity = read_identity(*connection, *taken);
  if (!identity) return tl::unexpected(identity.error());
  const auto last = last_position(*connection);
  if (!last) return tl::unexpected(last.error());
  return std::unique_ptr<PostgresJournal>(new PostgresJournal(std::unique_ptr<Impl>(
      new Impl{options, std::move(*connection), std::move(*taken), std::move(*identity), *last})));
}

void PostgresJournal::append(const Event& event) {
  impl_->cause = {RecordKind::Event, event.at.ns, static_cast<std::int64_t>(event.seq.value)};
  impl_->add(RecordKind::Event, codec::encode(event));
}

void PostgresJournal::append(const Command& command) {
  impl_->add(RecordKind::Command, codec::encode(command));
}

Result<void> PostgresJournal::commit() { return impl_->commit(); }

Result<void> PostgresJournal::save(const ControllerState& state) {
  if (auto done = impl_->commit(); !done) return done;
  if (auto there = impl_->connect(); !there) return impl_->met(there.error());
  const auto done = transact(*impl_->connection, [&]() -> Result<void> {
    const auto held =
        impl_->connection->ask(kHeld, {number(impl_->taken.term), number(impl_->taken.session)});
    if (!held) return tl::unexpected(held.error());
    if (held->size() == 0) return tl::unexpected(impl_->fenced());
    return save_snapshot(*impl_->connection, state, impl_->last_position);
  });
  if (!done) return impl_->met(done.error());
  return {};
}

Result<live::Recovered> PostgresJournal::recover(const control::Config& config) {
  GYRE_ASSERT(impl_->pending.empty());
  if (auto there = impl_->connect(); !there) return impl_->met(there.error());
  std::vector<std::int64_t> refused;
  std::vector<std::string> how;
  const auto snapshot = impl_->newest_snapshot(refused, how);
  if (!snapshot) return tl::unexpected(snapshot.error());
  Connection& connection = *impl_->connection;
  auto recovered = transact(connection, [&]() -> Result<live::Recovered> {
    auto reader = RecordReader::open(connection, *snapshot ? (*snapshot)->position : 0);
    if (!reader) return tl::unexpected(reader.error());
    const ControllerState* const state = *snapshot ? &(*snapshot)->state : nullptr;
    return live::continue_core(*reader, {connection.shown(), config, state, false}).recovered;
  });
  if (!recovered) return recovered;
  // One that cannot be dropped is refused at the next start too.
  static_cast<void>(drop_snapshots(connection, refused));
  recovered->snapshots_refused = std::move(how);
  return recovered;
}

Result<void> PostgresJournal::recall(std::int64_t records_max, live::Recollection& into) {
  GYRE_ASSERT(impl_->pending.empty());
  if (auto there = impl_->connect(); !there) return impl_->met(there.error());
  Connection& connection = *impl_->connection;
  return transact(connection, [&]() -> Result<void> {
    const auto saved = snapshot_seqs(connection);
    if (!saved) return tl::unexpected(saved.error());
    const auto from = live::snapshot_to_recall<Snapshot>(
        *saved, impl_->last_position, records_max,
        [&](std::int64_t seq) { return load_snapshot(connection, seq); });
    if (!from) return tl::unexpected(from.error());
    auto reader = RecordReader::open(connection, *from ? (*from)->position : 0);
    if (!reader) return tl::unexpected(reader.error());
    const ControllerState* const state = *from ? &(*from)->state : nullptr;
    auto told = live::continue_core(*reader, {connection.shown(), {}, state, false, &into});
    if (!told.recovered) return tl::unexpected(told.recovered.error());
    return {};
  });
}

const live::StoreIdentity& PostgresJournal::identity() const { return impl_->identity; }
const std::optional<Lease>& PostgresJournal::before() const { return impl_->taken.before; }
std::int64_t PostgresJournal::term() const { return impl_->taken.term; }

struct PostgresJournalReader::Impl {
  Connection connection;
  std::optional<RecordReader> records{};
};

PostgresJournalReader::PostgresJournalReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PostgresJournalReader::~PostgresJournalReader() = default;

Result<std::unique_ptr<PostgresJournalReader>> PostgresJournalReader::open(const Target& target) {
  auto connection = Connection::open(target, seconds(30));
  if (!connection) return tl::unexpected(connection.error());
  // One transaction for the version and all records: they belong together.
  if (auto begun = connection->run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); !begun) {
    return tl::unexpected(begun.error());
  }
  if (auto good = check_schema(*connection); !good) return tl::unexpected(good.error());
  auto impl = std::unique_ptr<Impl>(new Impl{std::move(*connection)});
  auto records = RecordReader::open(impl->connection, 0);
  if (!records) return tl::unexpected(records.error());
  impl->records.emplace(std::move(*records));
  return std::unique_ptr<PostgresJournalReader>(new PostgresJournalReader(std::move(impl)));
}

Result<std::optional<control::Record>> PostgresJournalReader::next() {
  return impl_->records->next();
}

}  // namespace gyre::adapter::postgres
