#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapter/sqlite/database.h"
#include "base/ids.h"
#include "base/time.h"

namespace gyre::adapter::sqlite {

/// A small file of the state folder that goes with the journal.
struct SideFile {
  std::string name;  // below the state folder
  std::string body;
};

/// What is in a backup beside the journal. A backup is a journal in one file, with two tables more:
/// `backup` and `files`.
struct BackupContent {
  Time made_at;  // zero: a journal that is no backup
  std::vector<SideFile> files;
};

/// What stands in a journal.
struct RecordCounts {
  std::uint64_t events = 0;
  std::uint64_t commands = 0;
  EventSeq last;
  Time last_at;
};

/// Copies a journal as it is at one moment, also while it is written; the writer is not kept
/// waiting. `to` is there when it is whole and on the disk, or not at all; readable by its owner
/// only. What stands in each record is checked. Errors: NotFound; Conflict, `to` exists; Invalid,
/// it is damaged; NoRoom and Internal, the disk.
Result<RecordCounts> copy_journal(const std::string& from, const std::string& to,
                                  const BackupContent& content);

/// Errors: NotFound, Invalid.
Result<BackupContent> read_backup(const std::string& path);

/// Whether the file's structure is sound. Errors: NotFound, Invalid.
Result<void> check_file(const std::string& path);

/// Numbers of the store itself, in the table `meta`; 0 where there is none.
inline constexpr const char* kTerm = "term";
inline constexpr const char* kFirstJob = "first_job";
Result<std::uint64_t> meta_number(Database& database, std::string_view key);
Result<void> set_meta_number(Database& database, std::string_view key, std::uint64_t number);

/// Makes a new, closed journal the successor of the one at `original`: its cluster, and a term
/// after that one's that no other successor has, by the time `now`. New jobs get ids from
/// `first_job` on.
Result<void> succeed(const std::string& path, const std::string& original, Time now,
                     JobId first_job);

}  // namespace gyre::adapter::sqlite
