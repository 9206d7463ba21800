#include "adapter/postgres/restoration.h"

#include <utility>

#include "adapter/postgres/schema.h"

namespace gyre::adapter::postgres {
namespace {

constexpr Duration kPatience = seconds(30);

Result<void> set_version(Connection& connection, std::size_t version) {
  return connection.run(
      fmt::format("UPDATE meta SET value = '{}' WHERE key = 'schema_version'", version));
}

}  // namespace

Restoration::Restoration(Target target, Connection connection,
                         std::unique_ptr<PostgresJournal> journal)
    : connection_(std::move(connection)),
      journal_(std::move(journal)),
      files_(std::move(target), journal_->term()) {}

Result<std::unique_ptr<Restoration>> Restoration::begin(const Target& target,
                                                        std::int64_t node_lease_s) {
  auto connection = Connection::open(target, kPatience);
  if (!connection) return tl::unexpected(connection.error());
  const auto version = schema_version(*connection, schema_scripts().size());
  if (!version) return tl::unexpected(version.error());
  if (*version > 0) {
    return fail(ErrorKind::Conflict,
                "the database {} has a journal; nothing is ever restored over what is there",
                target.shown);
  }
  JournalOptions options{.target = target, .sync = live::Sync::Normal, .take = {}};
  options.take.holder = {"restoration", "gyre backup restore"};
  options.take.node_lease_s = node_lease_s;
  auto journal = PostgresJournal::open(options);
  if (!journal) return tl::unexpected(journal.error());
  auto begun = std::unique_ptr<Restoration>(
      new Restoration(target, std::move(*connection), std::move(*journal)));
  if (auto hidden = set_version(begun->connection_, 0); !hidden) {
    return tl::unexpected(hidden.error());
  }
  return begun;
}

Restoration::~Restoration() {
  if (finished_) return;
  journal_.reset();
  const auto tables = connection_.ask(
      "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables "
      "WHERE schemaname = 'gyre'");
  if (tables) static_cast<void>(connection_.run(fmt::format("DROP TABLE {}", tables->text(0, 0))));
}

Result<void> Restoration::finish(const std::string& cluster_id, JobId first_job) {
  auto done = transact(connection_, [&]() -> Result<void> {
    const auto told = connection_.ask(
        "WITH job AS (INSERT INTO meta VALUES('first_job', $2)), "
        "free AS (UPDATE lease SET released = true) "
        "UPDATE meta SET value = $1 WHERE key = 'cluster_id'",
        {text(cluster_id), text(std::to_string(first_job.value))});
    if (!told) return tl::unexpected(told.error());
    return set_version(connection_, schema_scripts().size());
  });
  finished_ = done.has_value();
  return done;
}

}  // namespace gyre::adapter::postgres
