#pragma once

#include <sys/types.h>

#include <vector>

namespace gyre::process {

/// The processes of this process namespace; needs libc and /proc alone.
std::vector<pid_t> all_processes();

/// 0 where it is gone.
pid_t parent_of(pid_t pid);

}  // namespace gyre::process
