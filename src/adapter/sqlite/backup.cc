#include "adapter/sqlite/backup.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <variant>

#include "adapter/sqlite/damage.h"
#include "adapter/sqlite/record_reader.h"
#include "adapter/sqlite/schema.h"
#include "live/files.h"

namespace gyre::adapter::sqlite {
namespace {

constexpr int kBusyTimeoutMs = 5000;

Result<Database> open_to_read(const std::string& path) {
  auto database = Database::open(path, Database::Mode::ReadOnly, kBusyTimeoutMs);
  if (!database) return database;
  if (auto good = check_schema(*database); !good) return tl::unexpected(good.error());
  return database;
}

/// Each by its checksum; nothing is decided again.
Result<RecordCounts> count_records(Database& database) {
  auto reader = RecordReader::open(database, 0);
  if (!reader) return tl::unexpected(reader.error());
  RecordCounts counts;
  for (;;) {
    const auto record = reader->next();
    if (!record) return tl::unexpected(record.error());
    if (!*record) return counts;
    if (const auto* event = std::get_if<Event>(&**record)) {
      ++counts.events;
      counts.last = event->seq;
      counts.last_at = event->at;
    } else {
      ++counts.commands;
    }
  }
}

Result<void> write_content(Database& database, const BackupContent& content) {
  auto made = database.execute(
      fmt::format("PRAGMA journal_mode=DELETE;PRAGMA synchronous=FULL;BEGIN;"
                  "DROP TABLE IF EXISTS backup;DROP TABLE IF EXISTS files;"
                  "CREATE TABLE backup(made_at INTEGER NOT NULL);INSERT INTO backup VALUES({});"
                  "CREATE TABLE files(name TEXT PRIMARY KEY, body BLOB NOT NULL)",
                  content.made_at.ns));
  if (!made) return made;
  auto insert = database.prepare("INSERT INTO files VALUES(?, ?)");
  if (!insert) return tl::unexpected(insert.error());
  for (const SideFile& file : content.files) {
    insert->bind(1, std::string_view(file.name)).bind(2, std::string_view(file.body));
    if (auto done = insert->run(); !done) return done;
  }
  return database.execute("COMMIT");
}

Result<RecordCounts> fill(Database& copy, const std::string& from, const BackupContent& content) {
  auto source = open_to_read(from);
  if (!source) return tl::unexpected(source.error());
  if (auto done = copy.copy_all_of(*source); !done) return tl::unexpected(done.error());
  if (auto done = write_content(copy, content); !done) return tl::unexpected(done.error());
  if (auto sound = check_structure(copy); !sound) return tl::unexpected(sound.error());
  return count_records(copy);
}

Result<void> put_in_place(const std::string& draft, const std::string& path) {
  // Unlike rename() it never replaces what came there meanwhile.
  if (::link(draft.c_str(), path.c_str()) != 0) {
    return fail(errno == EEXIST ? ErrorKind::Conflict : ErrorKind::Internal, "cannot make '{}': {}",
                path, std::strerror(errno));
  }
  // What is in it is on the disk already; not every file system can wait for a name.
  static_cast<void>(live::make_durable(path));
  return {};
}

}  // namespace

Result<RecordCounts> copy_journal(const std::string& from, const std::string& to,
                                  const BackupContent& content) {
  if (std::filesystem::exists(to)) {
    return fail(ErrorKind::Conflict, "'{}' exists; a backup never overwrites a file", to);
  }
  const std::string draft = fmt::format("{}.{}.partial", to, ::getpid());
  auto counts = [&]() -> Result<RecordCounts> {
    auto copy = Database::open(draft, Database::Mode::ReadWrite, kBusyTimeoutMs);
    if (!copy) return tl::unexpected(copy.error());
    return fill(*copy, from, content);
  }();
  if (counts) {
    if (auto placed = put_in_place(draft, to); !placed) counts = tl::unexpected(placed.error());
  }
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) ::unlink((draft + suffix).c_str());
  return counts;
}

Result<BackupContent> read_backup(const std::string& path) {
  auto database = open_to_read(path);
  if (!database) return tl::unexpected(database.error());
  BackupContent content;
  const auto is_backup = database->integer(
      "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('backup', 'files')");
  if (!is_backup) return tl::unexpected(is_backup.error());
  if (*is_backup != 2) return content;
  const auto made_at = database->integer("SELECT coalesce(max(made_at), 0) FROM backup");
  if (!made_at) return tl::unexpected(made_at.error());
  content.made_at = {*made_at};
  auto select = database->prepare("SELECT name, body FROM files ORDER BY name");
  if (!select) return tl::unexpected(select.error());
  for (;;) {
    const auto row = select->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return content;
    content.files.push_back({std::string(select->text(0)), std::string(select->text(1))});
  }
}

Result<void> check_file(const std::string& path) {
  auto database = open_to_read(path);
  if (!database) return tl::unexpected(database.error());
  return check_structure(*database);
}

Result<std::uint64_t> meta_number(Database& database, std::string_view key) {
  auto select =
      database.prepare("SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = ?");
  if (!select) return tl::unexpected(select.error());
  select->bind(1, key);
  if (auto row = select->step(); !row) return tl::unexpected(row.error());
  return static_cast<std::uint64_t>(select->integer(0));
}

Result<void> set_meta_number(Database& database, std::string_view key, std::uint64_t number) {
  auto update = database.prepare("INSERT OR REPLACE INTO meta VALUES(?, ?)");
  if (!update) return tl::unexpected(update.error());
  const std::string value = std::to_string(number);
  update->bind(1, key).bind(2, std::string_view(value));
  return update->run();
}

Result<void> succeed(const std::string& path, const std::string& original, Time now,
                     JobId first_job) {
  auto source = open_to_read(original);
  if (!source) return tl::unexpected(source.error());
  const auto before = meta_number(*source, kTerm);
  if (!before) return tl::unexpected(before.error());
  const auto cluster = source->text("SELECT value FROM meta WHERE key = 'cluster_id'");
  if (!cluster) return tl::unexpected(cluster.error());
  auto database = Database::open(path, Database::Mode::ReadWrite, kBusyTimeoutMs);
  if (!database) return tl::unexpected(database.error());
  auto update = database->prepare("UPDATE meta SET value = ? WHERE key = 'cluster_id'");
  if (!update) return tl::unexpected(update.error());
  update->bind(1, std::string_view(*cluster));
  if (auto done = update->run(); !done) return done;
  const std::uint64_t term = std::max(*before + 1, static_cast<std::uint64_t>(now.ns));
  if (auto done = set_meta_number(*database, kTerm, term); !done) return done;
  if (auto done = set_meta_number(*database, kFirstJob, first_job.value); !done) return done;
  return database->execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

}  // namespace gyre::adapter::sqlite
