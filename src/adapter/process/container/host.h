#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "act/executor.h"
#include "act/image_store.h"
#include "adapter/process/container/plan.h"
#include "base/result.h"

namespace gyre::process {

/// What the operator of a node allows containers.
struct ContainerOptions {
  std::vector<std::string> volumes;  // folders that may be volumes' sources, with what is below;
                                     // ":ro" behind one: for reading alone
  std::vector<std::string> devices;  // CDI devices that may be asked for: "vendor.com/class"
  std::string secrets;               // the folder of the secrets' files; empty: none
  std::vector<std::string> cdi_folders{"/etc/cdi", "/var/run/cdi"};
  std::string images;               // where layers are; to find out what its disk can do
  std::int64_t pids_max = 4096;     // processes and threads; of tasks without a container, too
  std::int64_t files_max = 65'536;  // open at a time, by each process
  MemoryMib root_size{512};         // of a writable root, in memory
  MemoryMib tmp_size{256};          // of /tmp and of /dev/shm
  std::size_t warm = 0;             // containers kept ready for each image used of late
};

/// The OCI runtime of this machine.
struct RuntimeFacts {
  std::string runtime;  // program; empty: there is none
  bool is_crun = false;
  std::string hide_cgroup2;  // the mount point that it must not see; empty: none
};
RuntimeFacts find_runtime();

/// Finds out what this machine has to run containers with, and plans them. Thread-safe.
class ContainerHost {
 public:
  explicit ContainerHost(ContainerOptions options);

  /// Why no container can run here; empty where one can.
  const std::string& why_not() const { return why_not_; }

  /// The same and more for a person.
  const std::vector<std::string>& lines() const { return lines_; }

  std::int64_t pids_max() const { return options_.pids_max; }

  /// Errors: Invalid, a volume, secret or device that is not allowed or not there; Unsupported.
  Result<ContainerPlan> plan(const act::TaskStart& task, const act::PreparedImage& image) const;

  /// What that secret holds, as logins for registries: nothing where no name is given. Errors:
  /// Invalid, it is not on this node, or is too large.
  Result<std::optional<std::string>> registry_logins(const std::string& secret) const;

 private:
  void find_users();
  Result<std::string> secret_path(const std::string& name) const;
  Result<BindMount> allow(const ContainerSpec::Volume& volume) const;
  Result<void> add_devices(ContainerPlan& plan, const act::TaskStart& task) const;

  const ContainerOptions options_;
  ContainerPlan common_;
  bool maps_users_ = false;
  std::string why_not_;
  std::vector<std::string> lines_;
};

/// The users of the container that is made `number`-th before its task is known.
std::int64_t warm_user_base(std::uint64_t number);

/// The path of a program that was installed beside this one; empty where there is none.
std::string program_beside(const char* name);

}  // namespace gyre::process
