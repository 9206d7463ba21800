#pragma once

#include <sys/types.h>

#include <array>

#include "adapter/process/files.h"
#include "adapter/process/folder.h"
#include "base/result.h"

namespace gyre::process {

/// A child that is ready to become the command, or on its way there. It ends when this does, or the
/// caller dies.
struct HeldChild {
  pid_t pid = -1;
  std::array<Fd, 2> go;  // the ends of a pipe that it reads
  Fd failure;            // what keeps it from becoming the command; closed when it does
};

/// Forks a child for the command, in a session and process group of its own, within its control
/// groups, with its output going to the folder's logs, nothing on its input, no other descriptor,
/// default signals. It gets ready meanwhile: to enter a version 1 group takes 10 to 20 ms, in which
/// the kernel waits for every CPU. Errors: Internal. Requires: one thread.
Result<HeldChild> hold_child(const Fd& folder, const SupervisorSpec& spec);

/// Has the child become the command. Returns its pid once the command itself runs; it gets SIGKILL
/// when the caller dies. Errors: what kept it from running, worded for the job's owner.
Result<pid_t> let_run(HeldChild child, const SupervisorSpec& spec);

/// Why execve(2) failed: NotFound, or Invalid where the command itself cannot be run; else
/// Unavailable.
ErrorKind kind_of_exec_error(int error);

/// Forks a holder, within the control groups, for a command that was asked for over `connection`
/// (exec/holder.h): the command runs as one of the task's own, in its working directory and
/// environment. Where there is no other process to be had, the connection's end says so. Requires:
/// one thread, all signals blocked.
void start_holder(const Fd& folder, const SupervisorSpec& spec, const Fd& connection);

}  // namespace gyre::process
