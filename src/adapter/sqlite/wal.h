#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace gyre::adapter::sqlite {

/// What is in a write-ahead log (the file `<database>-wal`), by SQLite's "WAL-mode File Format".
/// SQLite takes the whole commits up to the first frame that fails its checksum, and passes over
/// what is behind it without a word. This tells what that is.
struct WalReport {
  std::uint32_t frames = 0;   // of the commits that SQLite takes
  std::uint32_t commits = 0;  // that it takes
  std::uint32_t torn = 0;     // frames behind them
  // Ends of commits among those. Where each commit waits for the disk there is one at most, of a
  // commit that was not told as done; a second one means damage.
  std::uint32_t commits_torn = 0;
};

/// A missing or empty file has nothing in it. Errors: Invalid, the head is damaged, with which
/// SQLite would take nothing; Internal, the file cannot be read.
Result<WalReport> examine_wal(const std::string& path);

}  // namespace gyre::adapter::sqlite
