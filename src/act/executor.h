#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/quantity.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/job.h"

namespace gyre::act {

/// One run of one task of one job. Never used twice, so it is the run's idempotency key.
struct TaskKey {
  JobId job;
  std::int32_t attempt = 0;
  std::int32_t rank = 0;

  auto operator<=>(const TaskKey&) const = default;
};

std::string to_string(const TaskKey& key);              // "12.1.0": job, attempt, rank
Result<TaskKey> parse_task_key(std::string_view text);  // the same, read back

/// All that a node needs to run a task.
struct TaskStart {
  TaskKey key;
  std::vector<std::string> command;                      // argv; empty: the image's own
  std::vector<std::pair<std::string, std::string>> env;  // of equal names the last counts
  std::string working_directory;  // empty: a folder of the task's own, or the image's
  CpuMilli cpu{0};                // limits; 0: none
  MemoryMib memory{0};
  ContainerSpec container{};                 // without an image: a process of the node
  std::vector<std::string> gpu_devices{};    // CUDA's name of each that is given to it
  Sharing gpu_sharing = Sharing::Exclusive;  // how it is held to its share of them
  GpuMilli gpu_milli{0};                     // of each of them
  MemoryMib gpu_memory{0};                   // what that comes to on each; 0: unknown
  std::vector<std::string> artifacts{};      // see Launch
  std::vector<std::string> ports{};          // see Launch

  bool operator==(const TaskStart&) const = default;
};

/// How a task is ended: `checkpoint_signal`, where it is not 0, at once and SIGTERM after half of
/// `grace`; else SIGTERM at once. What is left after `grace` gets SIGKILL.
struct StopOptions {
  int checkpoint_signal = 0;
  Duration grace;

  bool operator==(const StopOptions&) const = default;
};

/// A task of an earlier life of the caller.
struct FoundTask {
  TaskKey key;
  bool ended = false;

  bool operator==(const FoundTask&) const = default;
};

/// Is told what became of tasks, on a thread of the executor's. Must return quickly and not call
/// the executor back.
class TaskListener {
 public:
  virtual ~TaskListener() = default;
  virtual void started(const TaskKey& key, const StartStages& stages) = 0;
  virtual void ended(const TaskKey& key, const TaskExit& exit) = 0;
};

/// Runs tasks somewhere. No call waits for its outcome: that reaches the listener, `started` at
/// most once and `ended` exactly once per key. Every call may be repeated; a repetition changes
/// nothing. Thread-safe. First implementation: adapter/process.
class Executor {
 public:
  virtual ~Executor() = default;

  /// Who is told. Requires: called once, before the calls below.
  virtual void listen(TaskListener& listener) = 0;

  /// Runs the task unless its key was ever run here: then its present state is reported. A key is
  /// run at most once whenever and however often the caller dies and calls again.
  virtual void start(const TaskStart& task) = 0;

  /// Reports the present state of a task that an earlier life of the caller started, and its end
  /// when it comes. One that never ran will not run any more, and ends as TaskExit::Kind::Lost.
  virtual void adopt(const TaskKey& key) = 0;

  /// Ends the task. A second call with a shorter grace shortens the first one's. One that never ran
  /// will not run any more.
  virtual void stop(const TaskKey& key, const StopOptions& options) = 0;

  /// Halts all processes of a running task where they are, or lets them go on. They hold all that
  /// they have; what asks a halted one to end lets it go on first. Means nothing for other tasks.
  virtual void freeze(const TaskKey& key, bool frozen) = 0;

  /// The task's end is durable with the caller: what is kept about it may be dropped.
  virtual void release(const TaskKey& key) = 0;

  /// What earlier lives of the caller left here, by key; what this life started is not in it.
  virtual std::vector<FoundTask> found() const = 0;

  /// Ends the task at once, waits until it is gone, and forgets it with its logs, so that its key
  /// may be used anew. Requires: it was found, and neither started nor adopted in this life.
  virtual void discard(const TaskKey& key) = 0;
};

}  // namespace gyre::act
