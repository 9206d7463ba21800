#pragma once

#include <sys/types.h>

#include "adapter/process/files.h"

namespace gyre::process {

/// Halts all processes of a task, of which its folder keeps note. Not its supervisor, which goes on
/// to look after it. SIGSTOP, since not every machine lets its control groups be frozen.
void freeze(const Fd& folder, pid_t supervisor);

/// Lets them go on, where they are halted by freeze(). Also for whoever is to end the task: what is
/// halted obeys no SIGTERM.
void thaw(const Fd& folder, pid_t supervisor);

}  // namespace gyre::process
