#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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
  std::vector<TaskKey> tasks;   // of BreakGpu: those that have that device
  ChaosNetwork network;         // of SlowNetwork; its shares are drawn

  bool operator==(const FaultOrder&) const = default;
};

/// Whether a kind of fault can be had on a node.
struct FaultAbility {
  ChaosFault::Kind kind = ChaosFault::Kind::KillTask;
  std::string obstacle;  // why not, and how to mend that; empty: it can

  bool operator==(const FaultAbility&) const = default;
};
inline constexpr std::size_t kFaultAbilitiesMax = 64;

/// The answer to each order, before it is carried out where it breaks the connection. One with the
/// id 0 answers none: it says what this node can have, and is the first where it is said at all.
struct FaultBegun {
  std::uint64_t id = 0;
  Result<void> begun;
  std::vector<FaultAbility> able = {};
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
  /// as the same process. `tasks_too`: so are all tasks at that moment, and what looks after them.
  virtual Result<void> restart(Duration away, bool tasks_too) = 0;
};

/// Fills the file system of one folder. Thread-safe. First implementation: adapter/process.
class DiskFiller {
 public:
  virtual ~DiskFiller() = default;

  /// Why it must not be filled, and how to mend that; empty: it may.
  virtual std::string obstacle() const = 0;
  /// There is room again after that time, also without this program. Errors: Unsupported,
  /// obstacle(); the disk's.
  virtual Result<void> fill(Duration lasts) = 0;
  /// There is room now.
  virtual void empty() = 0;
};

}  // namespace gyre::act
