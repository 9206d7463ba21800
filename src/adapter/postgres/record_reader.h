#pragma once

#include <cstdint>
#include <optional>

#include "adapter/postgres/connection.h"
#include "control/journal.h"

namespace gyre::adapter::postgres {

/// The records after a position, in order, each checked: its checksum, its place, its text. A
/// cursor, so that no more than some are in memory.
class RecordReader final : public control::JournalReader {
 public:
  /// `connection` outlives the reader. Requires: a transaction, which lasts as long as the reader.
  static Result<RecordReader> open(Connection& connection, std::int64_t after_position);

  Result<std::optional<control::Record>> next() override;

 private:
  RecordReader(Connection& connection, std::int64_t position)
      : connection_(&connection), position_(position) {}

  Connection* connection_;
  std::int64_t position_;
  std::optional<Rows> rows_;
  int row_ = 0;
};

}  // namespace gyre::adapter::postgres
