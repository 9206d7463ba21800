#pragma once

#include <optional>
#include <string>

#include "adapter/process/files.h"

namespace gyre::process {

/// What a server and a supervisor with a warm container say to each other, over a socket that keeps
/// messages apart (SOCK_SEQPACKET).

/// The supervisor's side. Tells that the container is there, then waits for a task: its folder,
/// with its lock on kLockDescriptor. nullopt: the server is gone.
std::optional<std::string> wait_for_task(const Fd& line);

/// The server's side: whether the container is there. Does not wait.
enum class WarmState { Making, Ready, Gone };
WarmState look_at(const Fd& line);

/// Hands the task in `folder` over, with the lock that the caller holds. False: it was not taken.
bool hand_over(const Fd& line, const std::string& folder, const Fd& lock);

}  // namespace gyre::process
