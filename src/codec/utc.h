#pragma once

#include <optional>
#include <string>

#include "base/time.h"

namespace gyre::codec {

/// "2026-03-01T10:02:11.480Z": RFC 3339 in UTC, seconds may have a fraction; from 1970 to 2200.
/// None for anything else.
std::optional<Time> parse_utc(const std::string& text);

}  // namespace gyre::codec
