#pragma once

#include <cstdint>
#include <string>

#include "adapter/process/files.h"
#include "base/result.h"

namespace gyre::process {

/// A file or folder below `below` by a way that no link leaves (openat2 with RESOLVE_BENEATH), for
/// mounting alone. Errors: Invalid, it is not there or its way leads out.
Result<Fd> open_below(const std::string& below, const std::string& path);

/// A user namespace that maps kUserIds ids from 0 to `base` and up, kept by the descriptor.
Result<Fd> make_user_namespace(std::int64_t base);

/// A mount of what `source` is, attached nowhere yet; with `users` the owners of its files are
/// those of that namespace. Errors: the kernel's.
Result<Fd> clone_mount(const Fd& source, const Fd* users);

/// Attaches it; makes the file or folder that it is attached to.
Result<void> attach_mount(const Fd& mount, const std::string& target);

Result<void> mount_new(const char* type, const std::string& target, const std::string& options);

}  // namespace gyre::process
