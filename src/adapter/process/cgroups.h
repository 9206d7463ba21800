#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "adapter/process/files.h"
#include "base/quantity.h"
#include "base/result.h"

namespace gyre::process {

/// The control groups of one task: one folder in each hierarchy, and what to write into them.
/// Written down with the task, so that whoever comes later can end and remove them.
struct TaskGroups {
  std::vector<std::string> folders;
  std::vector<std::pair<std::string, std::string>> settings;  // file, content

  void add_to(Records& records) const;
  static TaskGroups from(const Records& records);
};

/// What of a limit the kernel keeps here.
struct Enforcement {
  bool cpu = false;
  bool memory = false;
  bool pids = false;
  std::vector<std::string> lines;  // the same for a person, one line each
};

/// Finds out by trying which control groups this process may make: version 2, version 1, or both
/// beside each other, below its own. Makes a parent folder named `instance` for all tasks.
class CgroupHost {
 public:
  explicit CgroupHost(const std::string& instance);
  /// Removes the parent folders, or leaves it to the last of the tasks that still live in them.
  ~CgroupHost();
  CgroupHost(const CgroupHost&) = delete;
  CgroupHost& operator=(const CgroupHost&) = delete;

  const Enforcement& enforcement() const { return enforcement_; }

  /// The groups of a task with these limits (0: none). `name` is a file name. A version 2 group
  /// comes first; version 1 groups are for limits, or where there is no other.
  struct Limits {
    CpuMilli cpu{0};
    MemoryMib memory{0};
    std::int64_t pids = 0;  // processes and threads
    bool all = false;       // groups for limits that may be set later, too
  };
  TaskGroups plan(const std::string& name, const Limits& limits) const;

 private:
  void try_unified(const std::string& instance);
  void try_v1(const std::string& instance);
  void describe();

  std::string unified_;  // parent folder in version 2; empty where it cannot be used
  std::string cpu_v1_;
  std::string memory_v1_;
  std::string pids_v1_;
  bool unified_pids_ = false;
  bool unified_cpu_ = false;
  bool unified_memory_ = false;
  std::string why_not_;
  Enforcement enforcement_;
};

/// Makes the groups and sets the limits.
Result<void> create(const TaskGroups& groups);

/// A fork() whose child is in the first `joined` groups already.
struct Forked {
  pid_t pid = -1;  // as of fork()
  std::size_t joined = 0;
};
/// Forks; into the version 2 group where the kernel can (Linux 5.7): to move a process there later
/// waits for every CPU, 10 to 20 ms. Requires: one thread.
Forked fork_into(const TaskGroups& groups);
/// Puts the calling process into all but the first `joined` of them. Fit for use between fork and
/// exec.
bool join(const TaskGroups& groups, std::size_t joined);
/// Sends SIGKILL to all in them. True if there was none.
bool kill_all(const TaskGroups& groups);
/// Processes that the kernel ended there for want of memory.
long memory_kills(const TaskGroups& groups);
/// The limit of processes and threads that is set there; empty: none.
std::string process_limit(const TaskGroups& groups);
/// How often one more process was refused there.
long process_refusals(const TaskGroups& groups);
/// True when none is left.
bool remove(const TaskGroups& groups);
/// Removes what they were in, where that is empty. Requires: its server has ended.
void remove_parents(const TaskGroups& groups);

}  // namespace gyre::process
