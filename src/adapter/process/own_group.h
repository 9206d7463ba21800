#pragma once

#include <string>
#include <string_view>

namespace gyre::process {

/// Where a hierarchy of control groups shows this process's own group.
struct OwnGroup {
  std::string folder;  // empty: the hierarchy is not mounted
  std::string mount_point;
};

/// `type` is "cgroup2" with no controller, or "cgroup" with one.
OwnGroup own_group(std::string_view type, std::string_view controller);

}  // namespace gyre::process
