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
  if (select_.integer(0) != ++position_) {
    return fail(ErrorKind::Invalid,
                "journal '{}': record {} is missing; it was damaged: restore it from a copy", path_,
                position_);
  }
  const RecordRow head{select_.integer(1) == 0 ? RecordKind::Event : RecordKind::Command,
                       select_.integer(2), select_.integer(3)};
  const std::string_view body = select_.text(5);
  if (static_cast<std::int64_t>(checksum(head, body)) != select_.integer(4)) {
    return fail(ErrorKind::Invalid,
                "journal '{}': record {} has a wrong checksum; it was damaged: restore it from a "
                "copy",
                path_, position_);
  }
  return head.kind == RecordKind::Event ? as_record(codec::decode_event(body), path_, position_)
                                        : as_record(codec::decode_command(body), path_, position_);
}

}  // namespace gyre::adapter::sqlite
