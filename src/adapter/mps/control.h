#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"

/// The control daemon of CUDA MPS, one for each device (NVIDIA Multi-Process Service documentation,
/// "nvidia-cuda-mps-control").
namespace gyre::mps {

/// The program's path, from PATH; nullopt: this machine has none.
std::optional<std::string> find_control();

/// One daemon: it listens in `folder`, for one device.
struct Daemon {
  std::string folder;
  pid_t pid = 0;
};

/// Starts a daemon for `device` (CUDA's name of it) in `folder`, which is made. It goes on when the
/// caller ends. Blocks until it listens, a few seconds at most. Errors: Internal, with its words.
Result<Daemon> start_daemon(const std::string& control, const std::string& folder,
                            const std::string& device);

/// The daemon that listens in `folder`, if one does.
std::optional<Daemon> find_daemon(const std::string& folder);

/// Tells it to end, and waits a few seconds at most; then it is killed.
void quit_daemon(const std::string& control, const Daemon& daemon);

/// Becomes readable when the process ends; -1: it has ended. The caller closes it.
int watch_process(pid_t pid);

}  // namespace gyre::mps
