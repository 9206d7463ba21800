#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "act/executor.h"
#include "adapter/process/cgroups.h"
#include "adapter/process/files.h"
#include "base/result.h"
#include "domain/job.h"

namespace gyre::process {

/// The files of a task's folder. The names are the protocol between the executor and the
/// supervisor, and between one life of the executor and the next.
inline constexpr const char* kLockFile = "lock";              // flock'ed while a supervisor lives
inline constexpr const char* kSpecFile = "spec";              // what to run; gone once it runs
inline constexpr const char* kSupervisorFile = "supervisor";  // its pid, and the control groups
inline constexpr const char* kStartedFile = "started";        // exists from before the command runs
inline constexpr const char* kRunningFile = "running";        // once the command runs: the stages
inline constexpr const char* kStopFile = "stop";              // how it is to be ended
inline constexpr const char* kFrozenFile = "frozen";          // its processes are halted
inline constexpr const char* kExitFile = "exit";              // how it ended; the last word
inline constexpr const char* kStdoutFile = "stdout.log";
inline constexpr const char* kStderrFile = "stderr.log";
inline constexpr const char* kStdoutCutFile = "stdout.cut";  // what of it is not kept
inline constexpr const char* kStderrCutFile = "stderr.cut";
inline constexpr const char* kSupervisorLog = "supervisor.log";
inline constexpr const char* kWorkFolder = "work";  // the task's own

/// The descriptor on which a supervisor finds the locked lock file.
inline constexpr int kLockDescriptor = 3;

/// How a supervisor ends when it could not leave an exit file.
enum class SupervisorCode : int {
  Done = 0,
  NotMine = 64,     // no lock, or another supervisor has it
  AlreadyRan = 65,  // the started file was there before
  CannotWrite = 66,
};

/// What the supervisor is told.
struct SupervisorSpec {
  std::string key;
  std::vector<std::string> command;
  std::vector<std::string> env;  // "NAME=value"
  std::string working_directory;
  MemoryMib memory{0};   // for messages; the groups keep it
  StartStages stages{};  // those that were over when the supervisor was asked for
  Time asked_at{};       // when that was, by the machine's monotonic clock
  std::string lease{};   // its file; empty: the task needs none
  MemoryMib log_max{0};  // see ExecutorOptions; 0: no limit
  TaskGroups groups;
  std::string container = {};               // a ContainerPlan as text; empty: a process of the node
  std::vector<std::string> artifacts = {};  // that are kept when it has ended

  std::string encode() const;
  static Result<SupervisorSpec> decode(std::string_view text);
};

/// The end of a task that was stopped before its command ran.
TaskExit never_ran();
TaskExit start_failed(const Error& error);

Time monotonic_now();
Time unix_now();

std::string encode(const TaskExit& exit);
std::string encode(const StartStages& stages);
std::string encode(const act::StopOptions& options);

/// Of a task that runs; all zero where they were not written down.
StartStages read_stages(const Fd& folder);

Result<std::optional<TaskExit>> read_exit(const Fd& folder);
Result<std::optional<act::StopOptions>> read_stop(const Fd& folder);

/// What a folder says about its task.
struct FolderState {
  std::optional<TaskExit> exit;     // it ended
  std::optional<pid_t> supervisor;  // who looks after it, if alive and known
  bool supervised = false;          // a supervisor lives
  bool started = false;             // the command may have run
  bool running = false;             // the command has run
  TaskGroups groups;
  Fd lock;  // held by the caller now, unless supervised or ended
};

/// Reads it, and takes the lock where no supervisor holds it, so that none can begin meanwhile.
Result<FolderState> inspect(const Fd& folder);

}  // namespace gyre::process
