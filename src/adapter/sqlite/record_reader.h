#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "adapter/sqlite/database.h"
#include "codec/record.h"
#include "control/journal.h"

namespace gyre::adapter::sqlite {

using codec::RecordKind;
using codec::RecordRow;

/// Whether a row of `position, kind, at, seq, checksum, body` has its checksum.
bool is_whole(const Statement& row);

/// The records after a position, in order, each checked: its checksum, its place, its text.
class RecordReader final : public control::JournalReader {
 public:
  /// `database` must outlive the reader, also where it is moved to.
  static Result<RecordReader> open(Database& database, std::int64_t after_position);

  Result<std::optional<control::Record>> next() override;

  /// The record that next() refused for its checksum or its absence; none if it was something else.
  std::optional<std::int64_t> damaged() const { return damaged_; }

 private:
  RecordReader(std::string path, Statement select, std::int64_t position)
      : path_(std::move(path)), select_(std::move(select)), position_(position) {}

  std::string path_;
  Statement select_;
  std::int64_t position_;
  std::optional<std::int64_t> damaged_;
};

}  // namespace gyre::adapter::sqlite
