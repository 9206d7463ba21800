#pragma once

#include <cstdint>
#include <optional>

#include "act/executor.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/chaos.h"

namespace gyre::act {

/// Break something of this node on purpose: docs/guide/chaos.md. It ends by itself after `lasts`,
/// whatever has become of who asked for it.
struct FaultOrder {
  std::uint64_t id = 0;
  bool mend = false;  // end the one of that id now, as far as it can be; the rest means nothing
  ChaosFault::Kind kind = ChaosFault::Kind::KillTask;
  ChaosFault::Way way = ChaosFault::Way::Both;  // of CutNode
  Duration lasts;
  std::optional<TaskKey> task;  // of KillTask and HangTask

  bool operator==(const FaultOrder&) const = default;
};

/// The answer to each order, before it is carried out where it breaks the connection.
struct FaultBegun {
  std::uint64_t id = 0;
  Result<void> begun;
};

/// Breaks what an agent consists of and looks after. Thread-safe; nothing waits. First
/// implementation: adapter/process.
class NodeBreaker {
 public:
  virtual ~NodeBreaker() = default;

  /// SIGKILL to all processes of a task. Errors: NotFound, it does not run here.
  virtual Result<void> kill_task(const TaskKey& task) = 0;
  /// All of its processes are stopped, and go on after that time, also without this program.
  virtual Result<void> hang_task(const TaskKey& task, Duration lasts) = 0;
  /// They go on now.
  virtual void resume_task(const TaskKey& task) = 0;
  /// This program is stopped a moment from now, and goes on after that time.
  virtual Result<void> pause(Duration lasts) = 0;
  /// This program is gone a moment from now, as if it were killed, and begins anew after that time
  /// as the same process.
  virtual Result<void> restart(Duration away) = 0;
};

}  // namespace gyre::act
