#include "adapter/sqlite/record_reader.h"

#include <zlib.h>

#include <array>

#include "codec/journal_codec.h"

namespace gyre::adapter::sqlite {
namespace {

template <class T>
Result<std::optional<control::Record>> as_record(Result<T> decoded, std::string_view path,
                                                 std::int64_t position) {
  if (decoded) return control::Record(std::move(*decoded));
  return fail(decoded.error().kind, "journal '{}', record {}: {}", path, position,
              decoded.error().message);
}

}  // namespace

std::uint32_t checksum(const RecordRow& row, std::string_view body) {
  std::array<unsigned char, 17> head{static_cast<unsigned char>(row.kind)};
  for (std::size_t i = 0; i < 8; ++i) {
    head[1 + i] = static_cast<unsigned char>(static_cast<std::uint64_t>(row.at) >> (8 * i));
    head[9 + i] = static_cast<unsigned char>(static_cast<std::uint64_t>(row.seq) >> (8 * i));
  }
  const uLong start = crc32_z(0, head.data(), head.size());
  return static_cast<std::uint32_t>(
      crc32_z(start, reinterpret_cast<const Bytef*>(body.data()), body.size()));
}

static RecordRow row_of(const Statement& row) {
  return {row.integer(1) == 0 ? RecordKind::Event : RecordKind::Command, row.integer(2),
          row.integer(3)};
}

bool is_whole(const Statement& row) {
  return static_cast<std::int64_t>(checksum(row_of(row), row.text(5))) == row.integer(4);
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
  const RecordRow head = row_of(select_);
  const std::string_view body = select_.text(5);
  return head.kind == RecordKind::Event ? as_record(codec::decode_event(body), path_, position_)
                                        : as_record(codec::decode_command(body), path_, position_);
}

}  // namespace gyre::adapter::sqlite
