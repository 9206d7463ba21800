#pragma once

namespace gyre::process {

/// The hidden subcommand under which the program looks after one task.
inline constexpr const char* kSupervisorCommand = "task-supervisor";

/// Looks after one task from before its start until nothing of it is left; the program's main()
/// when its first argument is kSupervisorCommand. It must be called before threads are started, in
/// the state in which the executor spawned it: all signals blocked, the folder's lock on
/// descriptor 3. Returns the process's exit code.
///
/// It outlives the server. What it does, in this order, so that no crash of anyone makes a command
/// run twice: takes the lock; writes down who it is; makes the control groups; makes `started`
/// durable; runs the command; waits for it, or ends it when told to (SIGUSR1: as the stop file
/// says; SIGTERM: within 10 s); ends all that the command left behind; makes `exit`
/// durable. When it is killed itself the command gets SIGKILL.
int supervise_task(const char* folder);

/// The same for a task that is not known yet: makes a container after the spec in `folder`, tells
/// so on descriptor 3, a socket, and waits there for the task (see warm_line.h). Ends, and its
/// container with it, when the other end of the socket is closed. main() when the first argument is
/// this.
inline constexpr const char* kWarmCommand = "warm-supervisor";
int supervise_warm(const char* folder);

}  // namespace gyre::process
