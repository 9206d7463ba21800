#include "base/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <optional>

namespace gyre {
namespace {

struct Unit {
  std::string_view name;
  double scale;
};

constexpr std::array<Unit, 6> kDurationUnits{
    {{"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}, {"w", 604800e9}}};
constexpr std::array<Unit, 9> kMemoryUnits{{{"MB", 1},
                                            {"MiB", 1},
                                            {"M", 1},
                                            {"GB", 1024},
                                            {"GiB", 1024},
                                            {"G", 1024},
                                            {"TB", 1048576},
                                            {"TiB", 1048576},
                                            {"T", 1048576}}};

// Reads a non-negative decimal number at the front of `text` and removes it.
std::optional<double> take_number(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() &&
         (std::isdigit(static_cast<unsigned char>(text[length])) != 0 || text[length] == '.')) {
    ++length;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + length, value);
  if (length == 0 || error != std::errc{} || end != text.data() + length) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

// Reads the unit at the front of `text` and removes it; a unit ends at a digit or a space.
template <std::size_t N>
std::optional<double> take_unit(std::string_view& text, const std::array<Unit, N>& units) {
  std::size_t length = 0;
  while (length < text.size() && std::isalpha(static_cast<unsigned char>(text[length])) != 0) {
    ++length;
  }
  for (const Unit& unit : units) {
    if (unit.name != text.substr(0, length)) continue;
    text.remove_prefix(length);
    return unit.scale;
  }
  return std::nullopt;
}

void skip_spaces(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  const std::string_view whole = text;
  const auto wrong = [whole] {
    return fail(ErrorKind::Invalid,
                "'{}' is not a duration: write a number and a unit (ms, s, m, h, d, w), as in 90s "
                "or 1h30m",
                whole);
  };
  double total = 0;
  bool first = true;
  for (; !text.empty(); first = false, skip_spaces(text)) {
    const auto number = take_number(text);
    if (!number) return wrong();
    if (text.empty() && first) return Duration{std::llround(std::min(*number, 9e9) * 1e9)};
    const auto scale = take_unit(text, kDurationUnits);
    if (!scale) return wrong();
    total += *number * *scale;
  }
  if (first) return wrong();
  if (total > 9e18) return fail(ErrorKind::Invalid, "'{}' is too long: 285 years at most", whole);
  return Duration{std::llround(total)};
}

Result<MemoryMib> parse_memory(std::string_view text) {
  const std::string_view whole = text;
  const auto number = take_number(text);
  skip_spaces(text);
  const auto scale = text.empty() ? std::optional(1.0) : take_unit(text, kMemoryUnits);
  if (!number || !scale || !text.empty() || *number * *scale > 1e12) {
    return fail(ErrorKind::Invalid,
                "'{}' is not a memory size: write a number and a unit (MB, GB, TB), as in 16GB",
                whole);
  }
  return MemoryMib{static_cast<std::int64_t>(*number * *scale)};
}

Result<CpuMilli> parse_cpu(std::string_view text) {
  const std::string_view whole = text;
  const auto number = take_number(text);
  const double scale = text == "m" ? 1 : 1000;
  if (!number || (!text.empty() && text != "m") || *number * scale > 1e9) {
    return fail(ErrorKind::Invalid,
                "'{}' is not a number of CPU cores: write 2, 0.5 or 500m (thousandths)", whole);
  }
  return CpuMilli{std::llround(*number * scale)};
}

std::string format_duration(Duration duration) {
  const double s = duration.seconds();
  if (s < 0) return "-" + format_duration(Duration{-duration.ns});
  if (s == 0) return "0s";
  if (s < 1) return fmt::format("{:.0f}ms", s * 1e3);
  if (s < 60) return fmt::format("{:.1f}s", s);
  const auto whole = static_cast<std::int64_t>(s);
  if (s < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  if (s < 86400) return fmt::format("{}h {:02}m", whole / 3600, whole / 60 % 60);
  return fmt::format("{}d {:02}h", whole / 86400, whole / 3600 % 24);
}

std::string format_memory(MemoryMib memory) {
  if (memory.value < 1024) return fmt::format("{} MiB", memory.value);
  if (memory.value % 1024 == 0) return fmt::format("{} GiB", memory.value / 1024);
  return fmt::format("{:.1f} GiB", static_cast<double>(memory.value) / 1024);
}

std::string format_money(Money money) {
  const std::int64_t value = std::abs(money.value);
  const bool small = value < 1'000'000;
  const std::int64_t unit = small ? 100 : 10'000;
  const std::int64_t rounded = (value + unit / 2) / unit;
  const std::int64_t parts = 1'000'000 / unit;
  return fmt::format("{}{}.{:0{}} USD", money.value < 0 ? "-" : "", rounded / parts,
                     rounded % parts, small ? 4 : 2);
}

std::string format_utc(Time time) {
  // Civil date from days, after H. Hinnant, "chrono-compatible low-level date algorithms".
  const std::int64_t ms = (time.ns - (time.ns < 0 ? 999'999 : 0)) / 1'000'000;
  const std::int64_t days = (ms - (ms < 0 ? 86'399'999 : 0)) / 86'400'000;
  const std::int64_t in_day = ms - days * 86'400'000;
  const std::int64_t z = days + 719'468;
  const std::int64_t era = (z >= 0 ? z : z - 146'096) / 146'097;
  const std::int64_t doe = z - era * 146'097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36'524 - doe / 146'096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const std::int64_t mp = (5 * doy + 2) / 153;
  const std::int64_t month = mp < 10 ? mp + 3 : mp - 9;
  const std::int64_t year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", year, month,
                     doy - (153 * mp + 2) / 5 + 1, in_day / 3'600'000, in_day / 60'000 % 60,
                     in_day / 1000 % 60, in_day % 1000);
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, (word.size() + 1) / 3) + 1;
  for (const std::string& candidate : candidates) {
    const auto [shorter, longer] = std::minmax({word.size(), candidate.size()});
    if (longer - shorter >= best_distance) continue;
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t diagonal = row[0]++;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t change = diagonal + (word[i] == candidate[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace gyre
