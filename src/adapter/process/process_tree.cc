#include "adapter/process/process_tree.h"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <string_view>

#include "adapter/process/files.h"

namespace gyre::process {
namespace {

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  for (const dirent* entry = proc ? ::readdir(proc.get()) : nullptr; entry != nullptr;
       entry = ::readdir(proc.get())) {
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc{} && end == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

/// /proc/PID/stat is "PID (NAME) STATE PPID ...", and NAME may hold anything.
std::optional<pid_t> parent_of(pid_t pid) {
  const std::string stat = read_control(fmt::format("/proc/{}/stat", pid));
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos || name_end + 4 > stat.size()) return std::nullopt;
  pid_t parent = 0;
  std::from_chars(stat.data() + name_end + 4, stat.data() + stat.size(), parent);
  return parent;
}

}  // namespace

std::vector<pid_t> descendants(pid_t ancestor) {
  std::multimap<pid_t, pid_t> children;
  for (const pid_t pid : all_processes()) {
    if (const auto parent = parent_of(pid)) children.emplace(*parent, pid);
  }
  std::vector<pid_t> found{ancestor};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto [begin, end] = children.equal_range(found[i]);
    std::for_each(begin, end, [&](const auto& child) { found.push_back(child.second); });
  }
  found.erase(found.begin());
  return found;
}

std::vector<pid_t> marked(const std::string& mark) {
  const std::string wanted = fmt::format("{}={}", kMarkName, mark) + '\0';
  std::vector<pid_t> pids = all_processes();
  std::erase_if(pids, [&](pid_t pid) {
    const std::string environment = '\0' + read_control(fmt::format("/proc/{}/environ", pid));
    return environment.find('\0' + wanted) == std::string::npos;
  });
  return pids;
}

}  // namespace gyre::process
