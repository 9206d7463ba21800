#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "domain/container.h"

namespace gyre::process {

/// A file or folder of the node that a container sees. `below` and `path` say together where it is:
/// the way from one to the other is never left by a link.
struct BindMount {
  std::string below;  // what the operator allows; absolute
  std::string path;   // within it; empty: itself
  std::string target;
  bool read_only = false;
};

struct DeviceNode {
  std::string source;  // on the node
  std::string target;  // in the container
  std::string access = "rw";
};

struct RuntimeHook {
  std::string stage;  // "createContainer", as the OCI runtime specification has it
  std::string path;
  std::vector<std::string> arguments;
  std::vector<std::string> env;
};

/// All that a supervisor must know to run a task's command in a container.
struct ContainerPlan {
  std::string runtime;         // program
  bool is_crun = true;         // else it is runc, or speaks like it
  std::string init;            // gyre-init's path
  std::string hide_cgroup2;    // the mount point that the runtime must not see; empty: none
  std::int64_t user_base = 0;  // the node's id of the container's 0; 0: no user namespace

  std::vector<std::string> layers;  // unpacked, lowest first; absolute
  std::vector<std::string> env;     // "NAME=value", as the image has it
  std::string working_directory;    // the image's
  std::string user;                 // the task's, else the image's
  std::string hostname;
  bool writable_root = false;
  MemoryMib root_size{512};  // what can be written into the root, where it can
  MemoryMib tmp_size{256};   // of /tmp
  ContainerSpec::Network network = ContainerSpec::Network::Host;
  std::int64_t pids_max = 0;
  std::int64_t files_max = 0;  // open at a time, by each process
  std::vector<BindMount> volumes;
  std::vector<ContainerSpec::Tmpfs> tmpfs;
  std::vector<std::pair<std::string, std::string>> secrets;  // name, the file on the node
  std::vector<DeviceNode> devices;
  std::vector<RuntimeHook> hooks;

  std::string encode() const;  // JSON
  static Result<ContainerPlan> decode(std::string_view text);
};

/// How many ids a container's user namespace has.
inline constexpr std::int64_t kUserIds = 65'536;

}  // namespace gyre::process
