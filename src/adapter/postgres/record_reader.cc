#include "adapter/postgres/record_reader.h"

#include "codec/record.h"

namespace gyre::adapter::postgres {

Result<RecordReader> RecordReader::open(Connection& connection, std::int64_t after_position) {
  const auto declared = connection.ask(fmt::format(
      "DECLARE reading NO SCROLL CURSOR FOR SELECT position, kind, at, seq, checksum, body "
      "FROM records WHERE position > {} ORDER BY position",
      after_position));
  if (!declared) return tl::unexpected(declared.error());
  return RecordReader(connection, after_position);
}

Result<std::optional<control::Record>> RecordReader::next() {
  if (!rows_ || row_ == rows_->size()) {
    auto rows = connection_->ask("FETCH 1000 FROM reading");
    if (!rows) return tl::unexpected(rows.error());
    rows_.emplace(std::move(*rows));
    row_ = 0;
    if (rows_->size() == 0) return std::optional<control::Record>();
  }
  const int row = row_++;
  ++position_;
  const auto kind =
      rows_->integer(row, 1) == 0 ? codec::RecordKind::Event : codec::RecordKind::Command;
  const std::string_view body = rows_->text(row, 5);
  const bool there = rows_->integer(row, 0) == position_;
  const std::int64_t sum =
      codec::checksum({kind, rows_->integer(row, 2), rows_->integer(row, 3)}, body);
  if (!there || rows_->integer(row, 4) != sum) {
    return fail(ErrorKind::Invalid, "journal '{}': record {} {}; restore a backup of the database",
                connection_->shown(), position_, there ? "has a wrong checksum" : "is missing");
  }
  auto record = codec::decode_record(kind, body);
  if (record) return std::move(*record);
  return fail(record.error().kind, "journal '{}', record {}: {}", connection_->shown(), position_,
              record.error().message);
}

}  // namespace gyre::adapter::postgres
