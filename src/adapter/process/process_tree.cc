#include "adapter/process/process_tree.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <map>

#include "adapter/process/files.h"
#include "adapter/process/process_list.h"

namespace gyre::process {

std::vector<pid_t> descendants(pid_t ancestor) {
  std::multimap<pid_t, pid_t> children;
  for (const pid_t pid : all_processes()) {
    if (const pid_t parent = parent_of(pid); parent != 0) children.emplace(parent, pid);
  }
  std::vector<pid_t> found{ancestor};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto [begin, end] = children.equal_range(found[i]);
    std::for_each(begin, end, [&](const auto& child) { found.push_back(child.second); });
  }
  found.erase(found.begin());
  return found;
}

std::vector<pid_t> halt_descendants(pid_t ancestor) {
  constexpr int kRoundsMax = 8;  // what forks in each of them is on its way to run the machine out
  std::vector<pid_t> halted;
  for (int round = 0; round < kRoundsMax; ++round) {
    std::vector<pid_t> found = descendants(ancestor);
    std::sort(found.begin(), found.end());
    if (found == halted) break;
    for (const pid_t one : found) ::kill(one, SIGSTOP);
    halted = std::move(found);
  }
  return halted;
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
