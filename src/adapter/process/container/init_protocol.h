#pragma once

#include <cstdint>

namespace gyre::process {

/// What a task's supervisor and the first process of its container say to each other, over a stream
/// socket of which the container's end is on descriptor 3. Host byte order; both are one machine.
///
/// The container's process tells Ready, waits for an InitOrder, forks the command, tells Started or
/// Refused, then Ended with the command's wait status, and ends. It ends at once, and with it all
/// that is in the container, when the supervisor's end is closed.
inline constexpr int kInitDescriptor = 3;

/// Where the container finds its first process; a file of the container's own /dev.
inline constexpr const char* kInitTarget = "/dev/gyre-init";

inline constexpr std::uint32_t kInitMagic = 0x67797265;
inline constexpr std::uint32_t kInitBytesMax = 8U << 20U;

/// Comes with the two descriptors to which the command writes, and, where it can be made, the
/// socket at which further commands are asked for (exec_protocol.h); is followed by `bytes` of
/// strings, each with its NUL: the working directory (empty: as it is), the arguments, the
/// variables ("NAME=value") that are set beside or instead of the container's own.
struct InitOrder {
  std::uint32_t magic = kInitMagic;
  std::uint32_t arguments = 0;
  std::uint32_t variables = 0;
  std::uint32_t bytes = 0;
};

enum class InitWord : std::uint32_t {
  Ready,      // the first process of the container runs
  Started,    // the command runs
  NoFolder,   // the working directory cannot be entered: value is the error
  NoCommand,  // the command cannot be run: value is the error
  Ended,      // the command is over: value is its wait status
};

struct InitReport {
  InitWord word = InitWord::Ready;
  std::int32_t value = 0;
  std::int64_t at_ns = 0;  // monotonic clock
};

}  // namespace gyre::process
