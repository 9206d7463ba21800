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

}  // namespace gyre::process
