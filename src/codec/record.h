#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "domain/command.h"
#include "domain/event.h"

namespace gyre::codec {

enum class RecordKind : unsigned char { Event, Command };

/// What a store holds of one record of a journal beside its text.
struct RecordRow {
  RecordKind kind = RecordKind::Event;
  std::int64_t at = 0;   // the event's time; of a command, that of the event that caused it; ns
  std::int64_t seq = 0;  // of the event
};

/// CRC-32 (zlib) over a row's numbers and its text.
std::uint32_t checksum(const RecordRow& row, std::string_view body);

/// Of one part of the snapshot after event `seq`; parts cannot be exchanged unseen.
std::uint32_t part_checksum(std::int64_t seq, std::int64_t part, std::string_view body);

/// Errors: as decode_event() and decode_command().
Result<std::variant<Event, Command>> decode_record(RecordKind kind, std::string_view body);

}  // namespace gyre::codec
