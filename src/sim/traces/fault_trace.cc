#include "sim/traces/fault_trace.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

namespace gyre::sim {
namespace {

constexpr std::size_t kBytesMax = std::size_t{256} << 20;
constexpr double kDaysMax = 36'525;
constexpr double kNsPerDay = 86'400e9;

struct Fault {
  Time at;
  std::uint32_t node = 0;
  bool starts = false;
};

Result<Time> read_time(const simdjson::dom::element& entry, const std::string& name,
                       std::size_t index) {
  double days = 0;
  if (entry["event_time"].get(days) != simdjson::SUCCESS) {
    return fail(ErrorKind::Invalid, "{}: entry {} has no number 'event_time'", name, index);
  }
  if (!(days >= 0) || days > kDaysMax) {
    return fail(ErrorKind::Invalid,
                "{}: entry {}: event_time {} is out of bounds; it is in days, "
                "0 to {}",
                name, index, days, kDaysMax);
  }
  return Time{std::llround(days * kNsPerDay)};
}

Result<bool> read_starts(const simdjson::dom::element& entry, const std::string& name,
                         std::size_t index) {
  std::string_view kind;
  if (entry["event_type"].get(kind) != simdjson::SUCCESS) {
    return fail(ErrorKind::Invalid, "{}: entry {} has no text 'event_type'", name, index);
  }
  if (kind != "fault_start" && kind != "fault_end") {
    return fail(ErrorKind::Invalid,
                "{}: entry {}: event_type '{}' is neither fault_start nor "
                "fault_end",
                name, index, kind);
  }
  return kind == "fault_start";
}

Result<std::vector<Fault>> read_faults(const simdjson::dom::array& entries, const std::string& name,
                                       std::uint32_t& nodes) {
  std::vector<Fault> faults;
  std::map<std::string, std::uint32_t, std::less<>> index_of;
  std::size_t index = 0;
  for (const simdjson::dom::element entry : entries) {
    ++index;
    std::string_view id;
    if (entry["node_id"].get(id) != simdjson::SUCCESS) {
      return fail(ErrorKind::Invalid, "{}: entry {} has no text 'node_id'", name, index);
    }
    const auto at = read_time(entry, name, index);
    if (!at) return tl::unexpected(at.error());
    const auto starts = read_starts(entry, name, index);
    if (!starts) return tl::unexpected(starts.error());
    const auto [found, is_new] = index_of.try_emplace(std::string(id), nodes);
    if (is_new) ++nodes;
    faults.push_back({*at, found->second, *starts});
  }
  // At equal times starts come first, so that a fault that begins as another ends keeps it down.
  std::stable_sort(faults.begin(), faults.end(), [](const Fault& a, const Fault& b) {
    return a.at != b.at ? a.at < b.at : a.starts && !b.starts;
  });
  return faults;
}

}  // namespace

Result<FaultTrace> read_fault_trace(std::unique_ptr<ByteSource> source, const std::string& name) {
  const Result<std::string> text = read_all(*source, kBytesMax);
  if (!text) return fail(text.error().kind, "{}: {}", name, text.error().message);
  simdjson::dom::parser parser;
  simdjson::dom::array entries;
  if (const auto error = parser.parse(*text).get(entries); error != simdjson::SUCCESS) {
    return fail(ErrorKind::Invalid, "{}: it is no JSON array of fault events: {}", name,
                simdjson::error_message(error));
  }
  FaultTrace trace;
  const auto faults = read_faults(entries, name, trace.nodes);
  if (!faults) return tl::unexpected(faults.error());
  std::vector<std::int32_t> open_faults(trace.nodes, 0);
  for (const Fault& fault : *faults) {
    std::int32_t& open = open_faults[fault.node];
    if (!fault.starts && open == 0) {
      ++trace.unmatched;
      continue;
    }
    open += fault.starts ? 1 : -1;
    const bool changes = fault.starts ? open == 1 : open == 0;
    if (changes) trace.changes.push_back({fault.at, fault.node, !fault.starts});
  }
  if (trace.changes.empty()) {
    return fail(ErrorKind::Invalid, "{}: there is no fault in it", name);
  }
  return trace;
}

}  // namespace gyre::sim
