#pragma once

#include <string>
#include <vector>

#include "adapter/process/container/plan.h"

namespace gyre::process {

/// Something of the node that has been put in place for the runtime to bind into the container.
struct StagedMount {
  std::string source;
  std::string target;
  bool read_only = false;
  bool recursive = false;
};

/// Who the container's processes are, as numbers of the container's.
struct ContainerUser {
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  std::string home = "/";
};

/// What the runtime is told: config.json of the OCI runtime specification, version 1.0.2.
///
/// Namespaces pid, mount, ipc, uts, cgroup, user (with a user_base) and network (with
/// Network::None). No capability beyond those of CapabilitySet, none at all for a user other than
/// root; no new privileges; masked and read-only parts of /proc
/// and /sys as container engines have them; resource limits that the control groups do not know.
std::string oci_config(const ContainerPlan& plan, const ContainerUser& user,
                       const std::string& root, const std::vector<StagedMount>& mounts);

/// The least that a runtime can be told to run /bin/true in `root`; to measure it.
std::string plain_config(const std::string& root);

}  // namespace gyre::process
