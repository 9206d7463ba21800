#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "adapter/process/files.h"
#include "base/result.h"

namespace gyre::process {

/// Starts a supervisor for the task in the folder at `path` (absolute), as supervise_task() wants
/// to be started: it holds `lock` from the beginning. Returns a descriptor of the process.
/// Thread-safe.
Result<Fd> spawn_supervisor(const std::vector<std::string>& command, const std::string& path,
                            const Fd& lock);

/// A descriptor of the process, none if it is gone.
Fd open_process(pid_t pid);

bool send_signal(const Fd& process, int signal);

/// Takes in a child that has ended; its exit code, or -1 where it was killed or is no child.
int take_exit_code(const Fd& process);

}  // namespace gyre::process
