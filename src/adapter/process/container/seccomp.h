#pragma once

#include <string>

namespace gyre::process {

/// Where the container finds its first process; a file of the container's own /dev.
inline constexpr const char* kInitTarget = "/dev/gyre-init";

/// Which system calls a container may make: the "seccomp" part of an OCI configuration, as JSON.
/// An allow-list: what the kernel learns later is closed until somebody has looked at it.
const std::string& seccomp_profile();

}  // namespace gyre::process
