#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapter/sqlite/database.h"

namespace gyre::adapter::sqlite {

/// A record that is missing or fails its checksum, and what stands behind it.
struct Damage {
  std::int64_t position = 0;          // the first such record
  std::optional<std::int64_t> whole;  // the last record behind it that is whole; none: a torn end
};

/// Requires: the record at `position` is damaged. Errors: Invalid, SQLite cannot walk the table.
Result<Damage> look_behind(Database& database, std::int64_t position);

/// Takes the records from `position` on out of the journal, and snapshots of what came after it;
/// before that they are put into `<journal>.cut-<position>.sql`, whole and on the disk, as
/// statements that would put them back. Returns that file's path. Requires: a transaction. Errors:
/// Invalid, the file is damaged beyond single records; Conflict, that file exists and holds
/// something else; NoRoom and Internal, the disk.
Result<std::string> cut_records(Database& database, std::int64_t position);

/// Whether SQLite finds the file's structure sound (PRAGMA quick_check); reads all of it.
/// Errors: Invalid, with what it found first.
Result<void> check_structure(Database& database);

/// What a message about damage ends with: nothing was changed, and how to go on. 0: it is not known
/// up to which event the journal is whole.
std::string way_out(const std::string& journal, std::uint64_t last_whole_event);

}  // namespace gyre::adapter::sqlite
