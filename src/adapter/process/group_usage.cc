#include "adapter/process/group_usage.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "adapter/process/cgroups.h"
#include "adapter/process/files.h"
#include "adapter/process/folder.h"

namespace gyre::process {
namespace {

/// The number that `text` begins with.
std::optional<std::int64_t> leading_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return number;
}

/// cgroup v2, cpu.stat: "usage_usec 123" is its first line; v1 has no such line.
std::optional<Duration> cpu_of(const std::string& folder) {
  constexpr std::string_view kName = "usage_usec ";
  const std::string text = read_control(folder + "/cpu.stat");
  const std::size_t at = text.find(kName);
  if (at == std::string::npos) return std::nullopt;
  const auto us = leading_number(std::string_view(text).substr(at + kName.size()));
  if (!us) return std::nullopt;
  return Duration{*us * 1000};
}

std::optional<MemoryMib> peak_of(const std::string& folder) {
  for (const char* name : {"/memory.peak", "/memory.max_usage_in_bytes"}) {
    if (const auto bytes = leading_number(read_control(folder + name))) {
      return MemoryMib{(*bytes + 1'048'575) / 1'048'576};
    }
  }
  return std::nullopt;
}

}  // namespace

act::TaskUsage GroupUsage::usage(const act::TaskKey& key) const {
  act::TaskUsage out;
  const auto folder = open_folder(folder_ + "/" + act::to_string(key));
  if (!folder) return out;
  const auto text = read_file(*folder, kSupervisorFile);
  if (!text || !*text) return out;
  const auto records = decode(**text);
  if (!records) return out;
  for (const std::string& group : TaskGroups::from(*records).folders) {
    if (!out.cpu) out.cpu = cpu_of(group);
    if (!out.memory_peak) out.memory_peak = peak_of(group);
  }
  return out;
}

}  // namespace gyre::process
