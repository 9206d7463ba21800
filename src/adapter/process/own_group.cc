#include "adapter/process/own_group.h"

#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "adapter/process/files.h"

namespace gyre::process {
namespace {

bool listed(std::string_view commas, std::string_view wanted) {
  while (!commas.empty()) {
    const std::size_t end = std::min(commas.find(','), commas.size());
    if (commas.substr(0, end) == wanted) return true;
    commas.remove_prefix(std::min(end + 1, commas.size()));
  }
  return false;
}

/// The path of this process in one hierarchy, as /proc/self/cgroup has it ("4:memory:/a/b"); the
/// hierarchy of version 2 has no controllers' names.
std::string own_path(std::string_view controller) {
  std::istringstream lines(read_control("/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view names = std::string_view(line).substr(first + 1, second - first - 1);
    if (controller.empty() ? names.empty() : listed(names, controller)) {
      return line.substr(second + 1);
    }
  }
  return {};
}

}  // namespace

/// A line of mountinfo: "35 31 0:32 ROOT POINT options - TYPE source SUPER_OPTIONS".
OwnGroup own_group(std::string_view type, std::string_view controller) {
  std::istringstream lines(read_control("/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream left(line.substr(0, dash));
    std::istringstream right(line.substr(dash + 3));
    std::string skipped, root, point, found_type, super_options;
    left >> skipped >> skipped >> skipped >> root >> point;
    right >> found_type >> skipped >> super_options;
    if (found_type != type) continue;
    if (!controller.empty() && !listed(super_options, controller)) continue;
    std::string path = own_path(controller);
    if (root != "/" && path.starts_with(root)) path.erase(0, root.size());
    const std::string folder = path == "/" ? point : point + path;
    // In a container the path may be the host's; the mount point is then the own group.
    return {::access(folder.c_str(), F_OK) == 0 ? folder : point, point};
  }
  return {};
}

}  // namespace gyre::process
