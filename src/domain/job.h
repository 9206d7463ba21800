#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/shared.h"
#include "base/time.h"
#include "domain/job_spec.h"
#include "domain/node.h"

namespace gyre {

enum class JobState : std::uint8_t {
  Queued,      // waits; holds nothing
  Starting,    // holds its allocation; not all tasks run yet
  Running,     // every task runs
  Preempting,  // is being stopped and will queue again
  Stopping,    // is being stopped for good, or to be retried
  Succeeded,
  Failed,
  Cancelled,
};
inline constexpr int kJobStateCount = 8;

/// Why a job ended, or why its last attempt did. `None` while nothing has ended yet.
enum class Termination : std::uint8_t {
  None,
  Completed,     // every task exited with code 0
  TaskFailed,    // a task exited with another code, or by a signal
  StartRefused,  // a node could not start it
  NodeLost,      // a node or a task's supervisor was lost
  Preempted,     // for a job of higher priority
  UserRequest,   // stopped by its owner
  DeadlineExceeded,
  NeverFits,  // no node of the fleet could ever hold it
  Misconfigured,
  Retired,  // its service needs this replica no more
  Idle,     // it held GPUs and did not use them
};

/// True if a job may go from `from` to `to`; the one table of legal transitions.
bool is_legal_transition(JobState from, JobState to);

bool is_final(JobState state);
/// True in states that hold an allocation.
bool is_placed(JobState state);

std::string_view to_string(JobState state);     // "queued", ...
std::string_view to_string(Termination cause);  // "completed", "task_failed", ...

/// Where one task of a gang is put, and which share of which devices it gets.
struct TaskPlacement {
  std::int32_t rank = 0;
  NodeId node;
  Allocation allocation;

  bool operator==(const TaskPlacement&) const = default;
};

enum class TaskState : std::uint8_t { Starting, Running, Ended };

/// Where a node spent the time of one task's start. The stages follow each other; a process of the
/// node has no image and no root.
struct StartStages {
  Time received;          // when the node was given the task, by its clock; 0: not told
  Duration image;         // until the image was there, unpacked
  Duration root;          // until what the task runs in was made: folder, control groups, mounts
  Duration create;        // until the runtime had made the container, or the process was forked
  Duration init;          // until the container's first process ran
  Duration ready;         // until the task's own command ran
  bool warm = false;      // it ran in a container that had been made beforehand
  std::int32_t port = 0;  // of a replica: where it was told to listen; 0: nowhere
  std::vector<std::int32_t> ports{};  // that it was given, by Launch::ports

  bool operator==(const StartStages&) const = default;
};

/// How one task ended.
struct TaskExit {
  enum class Kind : std::uint8_t { Exited, Signaled, StartFailed, Lost };
  Kind kind = Kind::Exited;
  std::int32_t code = 0;  // exit code, or the signal's number
  bool stopped = false;   // it ended after it had been told to stop
  std::string message;    // what the node says; for a person
  Time ended_at{};        // by the node's clock; 0: not told

  bool ok() const { return kind == Kind::Exited && code == 0; }
  /// The shell's convention: the exit code, or 128 plus the signal's number.
  std::int32_t shell_code() const { return kind == Kind::Signaled ? 128 + code : code; }
  bool operator==(const TaskExit&) const = default;
};

/// A start of one task of a gang, which may be a later one than the gang's own.
struct TaskAttempt {
  std::int32_t number = 0;
  Time placed_at;
  CommandId command;  // that started it

  bool operator==(const TaskAttempt&) const = default;
};

/// One job as the core knows it. Everything here is essential state: a snapshot holds exactly this.
struct Job {
  JobId id;
  Shared<JobSpec> spec;
  std::string submission_key;  // the submitter's idempotency key; may be empty
  CommandId last_command;      // the latest about it
  JobState state = JobState::Queued;
  Time submitted_at;
  Time state_since;                      // when `state` was entered
  std::optional<Time> first_started_at;  // when it first ran in full
  Time attempt_started_at;               // when the current attempt was placed
  std::optional<Time> hold_until;        // retry backoff: not placed before
  std::int32_t attempt = 0;              // 1 for the first start; of a gang that of the last one
  std::int32_t retries = 0;
  std::int32_t preemptions = 0;
  Duration ran{0};      // in all attempts that are over
  Duration kept{0};     // the part of `ran` that its checkpoints have saved
  JobId batch;          // the first of the jobs that were submitted with it; see reason/queueing
  JobId preempted_for;  // while preempting: the job that it makes room for
  std::vector<TaskPlacement> placement;          // by rank; empty unless placed
  std::vector<TaskState> tasks;                  // by rank; empty unless placed
  std::vector<std::vector<std::int32_t>> ports;  // by rank and Launch::ports; empty unless given
  /// By rank, once a task has been started anew by itself, until the job is placed again; else
  /// empty: all are of `attempt`.
  std::vector<TaskAttempt> attempts;
  Termination ending = Termination::None;  // why the current attempt is being stopped or has ended
  TaskExit exit;                           // of the first task that ended badly, else of the last
  StartStages start;                       // of the task that started last
  std::string service;                     // that it is a replica of; empty: of none
  std::int32_t revision = 0;               // of that service

  bool operator==(const Job&) const = default;
};

/// Of the task of that rank: with the job and the rank the name of a run, which no other ever has.
std::int32_t attempt_of(const Job& job, std::int32_t rank);
/// Of the gang: that under which all of its tasks were started together. Task 0 is never started
/// anew by itself.
inline std::int32_t gang_attempt(const Job& job) { return attempt_of(job, 0); }
/// When the task of that rank was put where it is. Requires: the job is placed.
Time placed_at(const Job& job, std::int32_t rank);

}  // namespace gyre
