#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "base/time.h"
#include "sim/traces/csv_reader.h"

namespace gyre::sim {

/// The longest span, and the farthest instant from 1970, that a trace may name.
inline constexpr Duration kSpanMax = seconds(std::int64_t{100} * 366 * 86'400);

/// One column that a format knows, under any of `names`; the first one present is meant.
struct ColumnSpec {
  std::vector<std::string_view> names;
  bool required = false;
};

/// CSV with a header row. Fields are read by the place of their column in the list given to bind();
/// every error names the file, the line and the column. One thread.
class Table {
 public:
  /// Reads the header row. Errors: an empty source, a repeated column name.
  static Result<Table> open(std::unique_ptr<ByteSource> source, std::string name);

  const std::vector<std::string>& header() const { return header_; }
  bool has_column(std::string_view name) const;

  /// Errors: a required column is missing (all that are missing are named).
  Result<void> bind(std::span<const ColumnSpec> columns);
  std::vector<std::string> unused_columns() const;  // after bind()

  /// Goes to the next row; false at the end. Errors: as CsvReader::next(), and a row with more or
  /// fewer fields than the header.
  Result<bool> next();
  std::uint64_t line() const { return reader_.line(); }
  const std::string& name() const { return reader_.name(); }

  /// The field without blanks around it; empty where the trace has no such column.
  std::string_view text(std::size_t column) const;
  bool empty(std::size_t column) const { return text(column).empty(); }

  // Errors of all below: not a value of the kind, or out of bounds.
  Result<std::int64_t> integer(std::size_t column, std::int64_t min, std::int64_t max) const;
  Result<Duration> span(std::size_t column) const;      // seconds, 0 to kSpanMax
  Result<Time> instant(std::size_t column) const;       // seconds, or "YYYY-MM-DD hh:mm:ss" (UTC)
  Result<Duration> duration(std::size_t column) const;  // with a unit: "10m"; bare: seconds
  Result<CpuMilli> cpu(std::size_t column) const;       // cores: "4", "500m"
  Result<MemoryMib> memory(std::size_t column) const;   // "16GB"; bare: MiB
  Result<bool> boolean(std::size_t column) const;       // true, false, yes, no, 1, 0

  template <class... Args>
  [[nodiscard]] tl::unexpected<Error> fail_row(fmt::format_string<Args...> format,
                                               Args&&... args) const {
    return fail(ErrorKind::Invalid, "{}:{}: {}", reader_.name(), line(),
                fmt::format(format, std::forward<Args>(args)...));
  }
  /// As fail_row(), naming the column and what stands in it.
  template <class... Args>
  [[nodiscard]] tl::unexpected<Error> fail_at(std::size_t column,
                                              fmt::format_string<Args...> format,
                                              Args&&... args) const {
    return fail_row("{}: '{}' {}", describe(column), text(column),
                    fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  Table(std::unique_ptr<ByteSource> source, std::string name)
      : reader_(std::move(source), std::move(name)) {}
  std::string describe(std::size_t column) const;

  CsvReader reader_;
  std::vector<std::string> header_;
  std::vector<std::optional<std::size_t>> bound_;  // by column of bind(): the field's index
  const std::vector<std::string_view>* row_ = nullptr;
};

/// "2017-10-09 07:01:55" (also with a T between, a fraction, a Z at the end) as UTC; nullopt if it
/// is not such a time between 1970 and 2069.
std::optional<Time> parse_date_time(std::string_view text);

/// A finite decimal number of seconds; nullopt if it is not, or beyond kSpanMax either way.
std::optional<Duration> parse_seconds(std::string_view text);

}  // namespace gyre::sim
