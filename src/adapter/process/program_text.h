#pragma once

namespace gyre::process {

/// Takes the program's code out of the process's memory, not that of its libraries. What is still
/// used comes back from the kernel's page cache, at some microseconds for 64 KiB; what only a start
/// needs does not. Thread-safe.
void drop_program_text();

}  // namespace gyre::process
