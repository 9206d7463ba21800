#include "sim/traces/table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/units.h"

namespace gyre::sim {
namespace {

std::string_view trim(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (H. Hinnant, "chrono-compatible
/// low-level date algorithms").
std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = year / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

std::int64_t days_in_month(std::int64_t year, std::int64_t month) {
  const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  if (month == 2) return is_leap ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/// Takes `digits` digits off the front of `text`, then `end` if it is not 0.
std::optional<std::int64_t> take_number(std::string_view& text, std::size_t digits, char end) {
  const std::size_t needed = digits + (end == 0 ? 0 : 1);
  if (text.size() < needed || (end != 0 && text[digits] != end)) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(needed);
  return value;
}

/// ".25" as nanoseconds; nullopt if `text` is neither empty nor a fraction.
std::optional<std::int64_t> fraction_ns(std::string_view text) {
  if (text.empty()) return 0;
  if (text[0] != '.' || text.size() < 2 || text.size() > 10) return std::nullopt;
  std::int64_t ns = 0;
  for (std::size_t i = 1; i < 10; ++i) {
    const char c = i < text.size() ? text[i] : '0';
    if (c < '0' || c > '9') return std::nullopt;
    ns = ns * 10 + (c - '0');
  }
  return ns;
}

}  // namespace

std::optional<Time> parse_date_time(std::string_view text) {
  if (text.ends_with('Z')) text.remove_suffix(1);
  const auto year = take_number(text, 4, '-');
  const auto month = take_number(text, 2, '-');
  const char separator = text.size() > 2 && text[2] == 'T' ? 'T' : ' ';
  const auto day = take_number(text, 2, separator);
  const auto hour = take_number(text, 2, ':');
  const auto minute = take_number(text, 2, ':');
  const auto second = take_number(text, 2, 0);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (*year < 1970 || *year > 2069 || *month < 1 || *month > 12 || *day < 1 ||
      *day > days_in_month(*year, *month) || *hour > 23 || *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  const auto rest = fraction_ns(text);
  if (!rest) return std::nullopt;
  const std::int64_t days = days_from_civil(*year, *month, *day);
  return Time{(days * 86'400 + *hour * 3'600 + *minute * 60 + *second) * 1'000'000'000 + *rest};
}

std::optional<Duration> parse_seconds(std::string_view text) {
  std::int64_t whole = 0;
  const char* end = text.data() + text.size();
  if (const auto [at, error] = std::from_chars(text.data(), end, whole);
      error == std::errc{} && at == end) {
    const std::int64_t max = kSpanMax.ns / 1'000'000'000;
    if (whole > max || whole < -max) return std::nullopt;
    return seconds(whole);
  }
  double value = 0;
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || at != end || !std::isfinite(value)) return std::nullopt;
  if (std::abs(value) > kSpanMax.seconds()) return std::nullopt;
  return Duration{static_cast<std::int64_t>(std::llround(value * 1e9))};
}

Result<Table> Table::open(std::unique_ptr<ByteSource> source, std::string name) {
  Table table(std::move(source), std::move(name));
  const auto row = table.reader_.next();
  if (!row) return tl::unexpected(row.error());
  if (*row == nullptr) {
    return fail(ErrorKind::Invalid, "{}: the file is empty; a header row is needed",
                table.reader_.name());
  }
  for (const std::string_view field : **row) {
    const std::string_view column = trim(field);
    if (!column.empty() && table.has_column(column)) {
      return fail(ErrorKind::Invalid, "{}:{}: two columns are named '{}'", table.reader_.name(),
                  table.line(), column);
    }
    table.header_.emplace_back(column);
  }
  return table;
}

bool Table::has_column(std::string_view name) const {
  return std::find(header_.begin(), header_.end(), name) != header_.end();
}

Result<void> Table::bind(std::span<const ColumnSpec> columns) {
  bound_.assign(columns.size(), std::nullopt);
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    for (const std::string_view name : columns[i].names) {
      const auto found = std::find(header_.begin(), header_.end(), name);
      if (found == header_.end()) continue;
      bound_[i] = static_cast<std::size_t>(found - header_.begin());
      break;
    }
    if (columns[i].required && !bound_[i]) {
      missing.push_back(fmt::format("'{}'", fmt::join(columns[i].names, "' or '")));
    }
  }
  if (missing.empty()) return {};
  return fail(ErrorKind::Invalid, "{}:1: the header has no column {}; it reads '{}'",
              reader_.name(), fmt::join(missing, ", no column "), fmt::join(header_, ","));
}

std::vector<std::string> Table::unused_columns() const {
  std::vector<std::string> unused;
  for (std::size_t i = 0; i < header_.size(); ++i) {
    if (std::find(bound_.begin(), bound_.end(), i) == bound_.end()) unused.push_back(header_[i]);
  }
  return unused;
}

Result<bool> Table::next() {
  const auto row = reader_.next();
  if (!row) return tl::unexpected(row.error());
  row_ = *row;
  if (row_ == nullptr) return false;
  if (row_->size() != header_.size()) {
    return fail_row("the row has {} fields, the header {}", row_->size(), header_.size());
  }
  return true;
}

std::string_view Table::text(std::size_t column) const {
  if (!bound_[column]) return {};
  return trim((*row_)[*bound_[column]]);
}

std::string Table::describe(std::size_t column) const {
  const std::size_t field = bound_[column].value_or(0);
  return fmt::format("column {} ('{}')", field + 1, header_[field]);
}

Result<std::int64_t> Table::integer(std::size_t column, std::int64_t min, std::int64_t max) const {
  std::string_view field = text(column);
  if (field.ends_with(".0")) field.remove_suffix(2);
  std::int64_t value = 0;
  const char* end = field.data() + field.size();
  const auto [at, error] = std::from_chars(field.data(), end, value);
  if (field.empty() || at != end ||
      (error != std::errc{} && error != std::errc::result_out_of_range)) {
    return fail_at(column, "is not a whole number");
  }
  if (error != std::errc{} || value < min || value > max) {
    return fail_at(column, "is out of bounds; {} to {} is possible", min, max);
  }
  return value;
}

Result<Duration> Table::span(std::size_t column) const {
  const std::optional<Duration> value = parse_seconds(text(column));
  if (!value) return fail_at(column, "is not a number of seconds up to 100 years");
  if (value->ns < 0) return fail_at(column, "is negative; a span of time cannot be");
  return *value;
}

Result<Time> Table::instant(std::size_t column) const {
  const std::string_view field = text(column);
  if (const std::optional<Time> time = parse_date_time(field)) return *time;
  if (const std::optional<Duration> value = parse_seconds(field)) return Time{value->ns};
  return fail_at(column, "is neither a number of seconds nor a time as 2017-10-09 07:01:55");
}

Result<Duration> Table::duration(std::size_t column) const {
  const Result<Duration> value = parse_duration(text(column));
  if (!value) return fail_row("{}: {}", describe(column), value.error().message);
  if (*value > kSpanMax) return fail_at(column, "is out of bounds; 100 years at most");
  return *value;
}

Result<CpuMilli> Table::cpu(std::size_t column) const {
  const Result<CpuMilli> value = parse_cpu(text(column));
  if (!value) return fail_row("{}: {}", describe(column), value.error().message);
  return *value;
}

Result<MemoryMib> Table::memory(std::size_t column) const {
  const Result<MemoryMib> value = parse_memory(text(column));
  if (!value) return fail_row("{}: {}", describe(column), value.error().message);
  return *value;
}

Result<bool> Table::boolean(std::size_t column) const {
  const std::string_view field = text(column);
  for (const std::string_view yes : {"1", "true", "yes", "True", "TRUE"}) {
    if (field == yes) return true;
  }
  for (const std::string_view no : {"0", "false", "no", "False", "FALSE"}) {
    if (field == no) return false;
  }
  return fail_at(column, "is neither true nor false");
}

}  // namespace gyre::sim
