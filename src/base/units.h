#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "base/time.h"

namespace gyre {

/// "90s", "10m", "1h30m", "2d", "250ms", or a bare number of seconds. Never negative.
Result<Duration> parse_duration(std::string_view text);

/// "16GB", "16GiB", "512MB", "1.5TB", or a bare number of MiB. GB and GiB both mean 1024 MiB, as
/// GPU vendors use them. Rounded down to a whole MiB; never negative.
Result<MemoryMib> parse_memory(std::string_view text);

/// "2", "0.5" or "500m" cores. Rounded to a thousandth; never negative.
Result<CpuMilli> parse_cpu(std::string_view text);

std::string format_duration(Duration duration);  // "1h 02m", "3m 20s", "4.2s", "150ms"
std::string format_memory(MemoryMib memory);     // "80 GiB", "512 MiB"
/// "12.34 USD", "0.0123 USD": rounded to cents, below a dollar to hundredths of a cent.
std::string format_money(Money money);

/// `time` as RFC 3339 in UTC with milliseconds. Requires: an epoch-based time.
std::string format_utc(Time time);

/// The candidate nearest to `word` by edit distance (Levenshtein), empty if none is close enough to
/// be a likely typing error. O(candidates * length^2).
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace gyre
