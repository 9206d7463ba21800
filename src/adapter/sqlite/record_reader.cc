#include "adapter/sqlite/record_reader.h"

namespace gyre::adapter::sqlite {

static RecordRow row_of(const Statement& row) {
  return {row.integer(1) == 0 ? RecordKind::Event : RecordKind::Command, row.integer(2),
          row.integer(3)};
}

bool is_whole(const Statement& row) {
  return static_cast<std::int64_t>(codec::checksum(row_of(row), row.text(5))) == row.integer(4);
}

Result<RecordReader> RecordReader::open(Database& database, std::int64_t after_position) {
  auto select = database.prepare(
      "SELECT position, kind, at, seq, checksum, body FROM records WHERE position > ? "
      "ORDER BY position");
  if (!select) return tl::unexpected(select.error());
  select->bind(1, after_position);
  return RecordReader(database.path(), std::move(*select), after_position);
}

Result<std::optional<control::Record>> RecordReader::next() {
  const auto row = select_.step();
  if (!row) return tl::unexpected(row.error());
  if (!*row) return std::optional<control::Record>();
  ++position_;
  const bool there = select_.integer(0) == position_;
  if (!there || !is_whole(select_)) {
    damaged_ = position_;
    return fail(ErrorKind::Invalid, "journal '{}': record {} {}", path_, position_,
                there ? "has a wrong checksum" : "is missing");
  }
  auto record = codec::decode_record(row_of(select_).kind, select_.text(5));
  if (record) return std::move(*record);
  return fail(record.error().kind, "journal '{}', record {}: {}", path_, position_,
              record.error().message);
}

}  // namespace gyre::adapter::sqlite
