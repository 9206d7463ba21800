#pragma once

#include <vector>

namespace gyre::process {

/// Looks after one command that runs beside a task's own, as exec_protocol.h has it; libc alone.
/// The calling process has been forked for it from one of the task, whose groups, namespaces,
/// users, filter and working directory the command takes over, and whose signals are all blocked.
/// Its environment is this process's, with the task's `variables` and then the request's set.
/// `folder_error`: why the working directory could not be entered, 0 where it was. Never returns.
[[noreturn]] void hold_command(int connection, const std::vector<char*>& variables,
                               int folder_error);

}  // namespace gyre::process
