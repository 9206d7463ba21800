#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"

namespace gyre::process {

/// A lease is a file that says until when, by the machine's boot clock (CLOCK_BOOTTIME), the tasks
/// of a node may run. Supervisors look at it by themselves, so that tasks end in time though the
/// agent that should renew it is gone.

Time boot_now();

/// Replaces what is there, at once for every reader; also on a disk that has filled up since the
/// first time. Requires: an absolute path. Errors: Internal, the disk.
Result<void> write_lease(const std::string& path, Time until);

/// Time{} where there is none that can be read: then it is over.
Time read_lease(const std::string& path);

}  // namespace gyre::process
