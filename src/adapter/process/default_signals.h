#pragma once

namespace gyre::process {

/// As a program expects them where it begins: each signal does what is usual, and none is blocked.
/// For a process that is about to be another program; libc alone.
void default_signals();

}  // namespace gyre::process
