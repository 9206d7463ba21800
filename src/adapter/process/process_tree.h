#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace gyre::process {

/// The name of the environment variable that marks every process of a task.
inline constexpr const char* kMarkName = "GYRE_TASK";

/// All processes below `ancestor`, itself not included. O(processes of the machine).
std::vector<pid_t> descendants(pid_t ancestor);

/// Halts them all with SIGSTOP, those that they make meanwhile too; says which.
std::vector<pid_t> halt_descendants(pid_t ancestor);

/// Processes whose environment at their start held "GYRE_TASK=`mark`". Reads those of the own user;
/// zombies have none. O(processes of the machine).
std::vector<pid_t> marked(const std::string& mark);

}  // namespace gyre::process
