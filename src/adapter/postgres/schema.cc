#include "adapter/postgres/schema.h"

#include <array>

namespace gyre::adapter::postgres {
namespace {

constexpr std::array<const char*, 1> kScripts{R"sql(
CREATE TABLE meta(key text PRIMARY KEY, value text NOT NULL);
INSERT INTO meta VALUES('schema_version', '0'), ('created_by', ')sql" GYRE_VERSION R"sql('),
                       ('cluster_id', replace(gen_random_uuid()::text, '-', ''));
-- kind: 0 event, 1 command. seq: the event, for a command the one that caused it; at: its time, ns.
CREATE TABLE records(position bigint PRIMARY KEY, kind smallint NOT NULL, at bigint NOT NULL,
                     seq bigint NOT NULL, body text NOT NULL, checksum bigint NOT NULL);
-- The state after event `seq`, whose records end at `position`, in parts 0 to parts - 1.
CREATE TABLE snapshots(seq bigint NOT NULL, part bigint NOT NULL, parts bigint NOT NULL,
                       position bigint NOT NULL, body text NOT NULL, checksum bigint NOT NULL,
                       PRIMARY KEY(seq, part));
-- What servers have in their state folder and share: the fleet's authority.
CREATE TABLE files(name text PRIMARY KEY, body text NOT NULL);
-- One row: who leads. session: which of its connections may write; backend: what serves that one.
CREATE TABLE lease(one boolean PRIMARY KEY DEFAULT true CHECK(one), term bigint NOT NULL,
                   session bigint NOT NULL, holder text NOT NULL, name text NOT NULL,
                   version text NOT NULL, released boolean NOT NULL, node_lease_s bigint NOT NULL,
                   backend integer NOT NULL, backend_start timestamptz NOT NULL);
-- The leader's sign of life; a table of its own, since each commit holds the lease's row.
CREATE TABLE pulse(one boolean PRIMARY KEY DEFAULT true CHECK(one), term bigint NOT NULL,
                   beat bigint NOT NULL);
)sql"};

constexpr int kOldestServer = 130'000;  // 13: gen_random_uuid()

}  // namespace

std::span<const char* const> schema_scripts() { return kScripts; }

Result<void> schema_lock(Connection& connection) {
  const auto locked = connection.ask("SELECT pg_advisory_xact_lock(1199141477)");  // "Gyre"
  if (!locked) return tl::unexpected(locked.error());
  return {};
}

Result<std::int64_t> schema_version(Connection& connection, std::size_t newest) {
  const auto found = connection.ask(
      "SELECT current_setting('server_version_num')::bigint, current_setting('server_encoding'), "
      "(SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('gyre')), "
      "(to_regclass('gyre.meta') IS NOT NULL)::int");
  if (!found) return tl::unexpected(found.error());
  if (found->integer(0, 0) < kOldestServer || found->text(0, 1) != "UTF8") {
    return fail(ErrorKind::Unsupported,
                "journal '{}': the database must be of PostgreSQL 13 or newer and have the "
                "encoding UTF8; this is {} with {}",
                connection.shown(), found->integer(0, 0) / 10'000, found->text(0, 1));
  }
  if (found->integer(0, 2) == 0) return 0;
  const auto other = [&] {
    return fail(ErrorKind::Invalid,
                "journal '{}': its schema 'gyre' is not a Gyre journal; give another database",
                connection.shown());
  };
  if (found->integer(0, 3) == 0) return other();
  const auto version =
      connection.ask("SELECT value::bigint FROM gyre.meta WHERE key = 'schema_version'");
  if (!version) return tl::unexpected(version.error());
  if (version->size() == 1 && version->integer(0, 0) == 0) {
    return fail(ErrorKind::Invalid,
                "journal '{}': a restoration into it has not ended; if none runs, drop the schema "
                "'gyre' and restore again",
                connection.shown());
  }
  if (version->size() != 1 || version->integer(0, 0) < 1) return other();
  if (version->integer(0, 0) > static_cast<std::int64_t>(newest)) {
    return fail(ErrorKind::Unsupported,
                "journal '{}': its schema is version {}, and Gyre {} knows versions up to {}; use "
                "the newer Gyre that wrote it",
                connection.shown(), version->integer(0, 0), GYRE_VERSION, newest);
  }
  return version->integer(0, 0);
}

Result<std::string> cluster_id(Connection& connection) {
  const auto found = connection.ask("SELECT value FROM gyre.meta WHERE key = 'cluster_id'");
  if (!found) return tl::unexpected(found.error());
  return found->size() == 1 ? std::string(found->text(0, 0)) : std::string();
}

Result<void> run_scripts(Connection& connection, std::int64_t version,
                         std::span<const char* const> scripts) {
  if (version == static_cast<std::int64_t>(scripts.size())) return {};
  std::string sql;
  if (version == 0) {
    const auto there = connection.ask("SELECT (to_regnamespace('gyre') IS NOT NULL)::int");
    if (!there) return tl::unexpected(there.error());
    if (there->integer(0, 0) == 0) sql = "CREATE SCHEMA gyre;";
  }
  for (const char* script : scripts.subspan(static_cast<std::size_t>(version))) sql += script;
  sql += fmt::format("UPDATE meta SET value = '{}' WHERE key = 'schema_version'", scripts.size());
  return connection.run(sql);
}

Result<void> check_schema(Connection& connection) {
  const auto version = schema_version(connection, kScripts.size());
  if (!version) return tl::unexpected(version.error());
  if (*version == 0) {
    return fail(ErrorKind::Invalid, "journal '{}': an empty database, not a Gyre journal",
                connection.shown());
  }
  if (*version < static_cast<std::int64_t>(kScripts.size())) {
    return fail(ErrorKind::Unsupported,
                "journal '{}': its schema is version {}, and Gyre {} reads version {}; start the "
                "server on it once, which brings it forward",
                connection.shown(), *version, GYRE_VERSION, kScripts.size());
  }
  return {};
}

}  // namespace gyre::adapter::postgres
