#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "adapter/process/files.h"
#include "base/quantity.h"
#include "base/result.h"
#include "base/time.h"

namespace gyre::process {

/// The bytes of a log, from `begin` on and before `end`, that are not kept. They read as zeros; all
/// others stay where they are, so that offsets mean what they meant.
struct LogCut {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool operator==(const LogCut&) const = default;
};

/// Empty where all of the log is kept. `name` is kStdoutCutFile or kStderrCutFile.
LogCut read_cut(const Fd& folder, const char* name);

/// Keeps the logs of one task within a limit, though the task writes to the files by itself: what
/// is between a sixteenth of the limit at the beginning and the newest part is cut out of them,
/// lines whole, by FALLOC_FL_PUNCH_HOLE (fallocate(2)). It looks at the logs kLook after they have
/// been written to (fcntl(2), F_NOTIFY), so they are larger by as much as can be written meanwhile.
/// Where the file system cannot cut, it keeps all. Used by one thread, whose SIGIO is blocked and
/// waited for.
class LogLimiter {
 public:
  /// `folder` outlives it, and has both logs.
  LogLimiter(const Fd& folder, MemoryMib max);

  /// SIGIO came.
  void wake(Time now);
  /// When to call look(); none while nothing is written.
  std::optional<Time> next_look() const { return next_; }
  void look(Time now);

  /// Nothing is written any more.
  void finish();

 private:
  struct Log {
    Fd file;
    const char* cut_file;
    LogCut cut;
    std::uint64_t size = 0;
  };
  bool measure();
  void trim(Log& log) const;

  const Fd& folder_;
  const std::uint64_t max_;
  std::array<Log, 2> logs_;
  bool can_cut_ = false;
  std::optional<Time> next_;
};

}  // namespace gyre::process
