#pragma once

namespace gyre::init {

/// Narrows the system calls of the calling process, and of all that it starts, to an allow-list:
/// what the kernel learns later is closed until somebody has looked at it. Installed here and not
/// by the runtime, which would compile it anew for every container, at more than the cost of all
/// the rest. False: the kernel refused. Requires: no new privileges; one thread.
bool install_filter();

}  // namespace gyre::init
