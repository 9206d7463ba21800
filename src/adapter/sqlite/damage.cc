#include "adapter/sqlite/damage.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "adapter/sqlite/record_reader.h"
#include "live/files.h"

namespace gyre::adapter::sqlite {

Result<Damage> look_behind(Database& database, std::int64_t position) {
  auto select = database.prepare(
      "SELECT position, kind, at, seq, checksum, body FROM records WHERE position > ? "
      "ORDER BY position DESC");
  if (!select) return tl::unexpected(select.error());
  select->bind(1, position);
  for (;;) {
    const auto row = select->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return Damage{position, std::nullopt};
    if (is_whole(*select)) return Damage{position, select->integer(0)};
  }
}

Result<void> check_structure(Database& database) {
  const auto found = database.text("PRAGMA quick_check(1)");
  if (!found) return tl::unexpected(found.error());
  if (*found == "ok") return {};
  return fail(ErrorKind::Invalid, "journal '{}': {}", database.path(), *found);
}

namespace {

/// As they would be put back.
Result<std::string> statements_of(Database& database, std::int64_t position) {
  auto select = database.prepare(
      "SELECT position, kind, at, seq, checksum, quote(CAST(body AS BLOB)) FROM records "
      "WHERE position >= ? ORDER BY position");
  if (!select) return tl::unexpected(select.error());
  select->bind(1, position);
  std::string statements;
  for (;;) {
    const auto row = select->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return statements;
    statements += fmt::format(
        "INSERT INTO records(position, kind, at, seq, checksum, body) "
        "VALUES({}, {}, {}, {}, {}, CAST({} AS TEXT));\n",
        select->integer(0), select->integer(1), select->integer(2), select->integer(3),
        select->integer(4), select->text(5));
  }
}

bool holds(const std::string& path, std::string_view text) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {}) == text;
}

}  // namespace

Result<std::string> cut_records(Database& database, std::int64_t position) {
  if (auto sound = check_structure(database); !sound) return tl::unexpected(sound.error());
  const std::string path = fmt::format("{}.cut-{}.sql", database.path(), position);
  const auto statements = statements_of(database, position);
  if (!statements) return tl::unexpected(statements.error());
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    if (auto kept = live::write_private_file(path, *statements); !kept)
      return tl::unexpected(kept.error());
  } else if (!holds(path, *statements)) {
    return fail(ErrorKind::Conflict,
                "'{}' holds what was cut off here once before; move it away, then start again",
                path);
  } else if (auto kept = live::make_durable(path); !kept) {  // a stop came between this and the cut
    return tl::unexpected(kept.error());
  }
  auto done =
      database.execute(fmt::format("DELETE FROM snapshots WHERE position >= {0};"
                                   "DELETE FROM records WHERE position >= {0}",
                                   position));
  if (!done) return tl::unexpected(done.error());
  return path;
}

std::string way_out(const std::string& journal, std::uint64_t last_whole_event) {
  const std::string upto = last_whole_event > 0 ? fmt::format(" --upto {}", last_whole_event) : "";
  return fmt::format(
      "; nothing was changed. Restore a backup, or take what is whole of it into another folder: "
      "gyre backup restore {}{} --to FOLDER",
      journal, upto);
}

}  // namespace gyre::adapter::sqlite
