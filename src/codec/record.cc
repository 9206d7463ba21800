#include "codec/record.h"

#include <zlib.h>

#include <array>

#include "codec/journal_codec.h"

namespace gyre::codec {
namespace {

template <class T>
Result<std::variant<Event, Command>> as_record(Result<T> decoded) {
  if (!decoded) return tl::unexpected(std::move(decoded.error()));
  return std::variant<Event, Command>(std::move(*decoded));
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

std::uint32_t part_checksum(std::int64_t seq, std::int64_t part, std::string_view body) {
  return checksum({RecordKind::Event, part, seq}, body);
}

Result<std::variant<Event, Command>> decode_record(RecordKind kind, std::string_view body) {
  return kind == RecordKind::Event ? as_record(decode_event(body))
                                   : as_record(decode_command(body));
}

}  // namespace gyre::codec
