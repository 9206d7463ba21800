#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sim/traces/table.h"
#include "sim/traces/trace.h"

namespace gyre::sim {

inline constexpr std::int64_t kGpusPerJobMax = 100'000;
inline constexpr std::int64_t kNodesPerJobMax = 10'000;

/// What a format's reader says about one row.
struct JobRow {
  std::string_view name;  // empty: it gets one from its line
  Time submit;
  Duration duration;
  Duration checkpoint_interval{0};
  std::optional<Duration> declared{};  // kEndless: nothing; nullopt: `duration`
  Demand demand;
  std::string_view queue = "default";
  std::string_view user;
  std::int32_t priority = 0;
  bool preemptible = false;
};

/// Collects rows into a Trace: names are unique, what jobs share is stored once.
class TraceBuilder {
 public:
  /// Errors: another row has the same name; the demand contradicts itself.
  Result<void> add(const Table& table, const JobRow& row);
  void skip() { ++trace_.skipped; }

  /// Sorts, and counts time from the first arrival. Errors: no job; times over 100 years apart.
  Result<Trace> finish(std::string name, std::string format, std::vector<std::string> notes);

 private:
  Trace trace_;
  std::unordered_map<std::string, std::uint64_t> line_of_name_;
  std::map<Demand, std::uint32_t> demand_index_;
  std::map<std::string, std::uint32_t, std::less<>> queue_index_;
  std::map<std::string, std::uint32_t, std::less<>> user_index_;
};

/// How one format is read: what its columns are, and what a row says.
class TraceFormat {
 public:
  virtual ~TraceFormat() = default;
  virtual std::string_view name() const = 0;
  virtual std::vector<ColumnSpec> columns() const = 0;
  /// The row that `table` stands on; views into it are good until its next row.
  virtual Result<JobRow> read(const Table& table) = 0;
  /// What a reader of results must know. Called once, after the last row.
  virtual std::vector<std::string> notes(const Table& table) const = 0;
};

/// "V100M16|V100M32" as a sorted list without repetitions; empty text: an empty list.
std::vector<std::string> split_models(std::string_view text);

std::unique_ptr<TraceFormat> openb_format(const Table& table);
std::unique_ptr<TraceFormat> philly_format();
std::unique_ptr<TraceFormat> csv_format();

}  // namespace gyre::sim
