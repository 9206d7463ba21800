#pragma once

#include "adapter/process/files.h"
#include "base/result.h"

namespace gyre::process {

/// Listens at kExecSocket in a task's folder, in place of who did before; does not wait. None where
/// that cannot be: then no commands run beside the task's own.
Fd open_exec_door(const Fd& folder);

/// Connects to it. Errors: Conflict, nobody listens there; Unavailable, too many ask at once.
Result<Fd> knock(const Fd& folder);

}  // namespace gyre::process
