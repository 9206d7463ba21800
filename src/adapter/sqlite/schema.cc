#include "adapter/sqlite/schema.h"

#include <array>

namespace gyre::adapter::sqlite {
namespace {

constexpr std::array<const char*, 1> kScripts{R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES('cluster_id', lower(hex(randomblob(16)))),
                       ('created_by', ')sql" GYRE_VERSION R"sql(');
-- kind: 0 event, 1 command. seq: the event, for a command the one that caused it; at: its time, ns.
CREATE TABLE records(position INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at INTEGER NOT NULL,
                     seq INTEGER NOT NULL, body TEXT NOT NULL, checksum INTEGER NOT NULL);
-- The state after event `seq`, whose records end at `position`, in parts 0 to parts - 1.
CREATE TABLE snapshots(seq INTEGER NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL,
                       position INTEGER NOT NULL, body TEXT NOT NULL, checksum INTEGER NOT NULL,
                       UNIQUE(seq, part));
)sql"};

Result<std::int64_t> version_of(Database& database, std::size_t newest) {
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return version;
  const auto application = database.integer("PRAGMA application_id");
  if (!application) return application;
  const auto objects = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!objects) return objects;
  const bool empty = *version == 0 && *application == 0 && *objects == 0;
  if (!empty && (*application != kApplicationId || *version < 1)) {
    return fail(ErrorKind::Invalid,
                "journal '{}': a SQLite database, but not a Gyre journal; give another path",
                database.path());
  }
  if (*version > static_cast<std::int64_t>(newest)) {
    return fail(ErrorKind::Unsupported,
                "journal '{}': its schema is version {}, and Gyre {} knows versions up to {}; use "
                "the newer Gyre that wrote it",
                database.path(), *version, GYRE_VERSION, newest);
  }
  return version;
}

}  // namespace

std::span<const char* const> schema_scripts() { return kScripts; }

Result<std::string> cluster_id(Database& database) {
  const auto version = version_of(database, kScripts.size());
  if (!version) return tl::unexpected(version.error());
  if (*version == 0) return std::string();
  return database.text("SELECT value FROM meta WHERE key = 'cluster_id'");
}

Result<void> bring_forward(Database& database, std::span<const char* const> scripts) {
  auto version = version_of(database, scripts.size());
  if (!version) return tl::unexpected(version.error());
  if (*version == static_cast<std::int64_t>(scripts.size())) return {};
  std::string sql = "BEGIN IMMEDIATE;";
  for (const char* script : scripts.subspan(static_cast<std::size_t>(*version))) sql += script;
  sql += fmt::format("PRAGMA application_id={};PRAGMA user_version={};COMMIT", kApplicationId,
                     scripts.size());
  return database.execute(sql);
}

Result<void> check_schema(Database& database) {
  const auto version = version_of(database, kScripts.size());
  if (!version) return tl::unexpected(version.error());
  if (*version == 0) {
    return fail(ErrorKind::Invalid, "journal '{}': an empty file, not a Gyre journal",
                database.path());
  }
  if (*version < static_cast<std::int64_t>(kScripts.size())) {
    return fail(ErrorKind::Unsupported,
                "journal '{}': its schema is version {}, and Gyre {} reads version {}; start the "
                "server on it once, which brings it forward",
                database.path(), *version, GYRE_VERSION, kScripts.size());
  }
  return {};
}

}  // namespace gyre::adapter::sqlite
