#pragma once

#include <sys/types.h>

#include "adapter/process/files.h"
#include "adapter/process/folder.h"
#include "base/result.h"

namespace gyre::process {

/// Runs the command as a child in a session and process group of its own, within its control
/// groups, with its output going to the folder's logs, nothing on its input, no other descriptor,
/// default signals. It gets SIGKILL when the caller dies. Returns its pid once the command itself
/// runs. Errors: what kept it from running, worded for the job's owner. Requires: one thread.
Result<pid_t> start_child(const Fd& folder, const SupervisorSpec& spec);

/// Why execve(2) failed: NotFound, or Invalid where the command itself cannot be run; else
/// Unavailable.
ErrorKind kind_of_exec_error(int error);

/// Forks a holder, within the control groups, for a command that was asked for over `connection`
/// (exec/holder.h): the command runs as one of the task's own, in its working directory and
/// environment. Where there is no other process to be had, the connection's end says so. Requires:
/// one thread, all signals blocked.
void start_holder(const Fd& folder, const SupervisorSpec& spec, const Fd& connection);

}  // namespace gyre::process
