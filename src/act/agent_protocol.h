#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "act/executor.h"
#include "act/local_node.h"
#include "act/node_repairs.h"
#include "act/task_artifacts.h"
#include "act/task_exec.h"
#include "act/task_logs.h"
#include "act/task_usage.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/gpu_sample.h"
#include "domain/image_holders.h"
#include "domain/node.h"

namespace gyre::act {

/// What a server and the agent of a node say to each other, whatever carries it. Every order may be
/// given twice: a task's key is its idempotency key. What was lost on the way is not sent again as
/// such: after each Hello the server asks anew for all that it still waits for.

/// Versions of the protocol that this program speaks. Two sides use the newest that both do. A
/// release raises the newest by one at most, and goes on to speak the one before.
inline constexpr std::uint32_t kProtocolNewest = 3;
inline constexpr std::uint32_t kProtocolOldest = 1;
inline constexpr std::uint32_t kProtocolExec = 2;       // from here on commands run in tasks
inline constexpr std::uint32_t kProtocolGpus = 3;       // from here on agents tell what GPUs do
inline constexpr std::uint32_t kProtocolArtifacts = 3;  // from here on artifacts are read
inline constexpr std::uint32_t kProtocolRepairs = 3;    // from here on nodes are repaired
inline constexpr std::uint32_t kProtocolImages = 3;     // from here on images are told and fetched
inline constexpr std::uint32_t kProtocolFreeze = 3;     // from here on tasks are frozen
inline constexpr std::uint32_t kProtocolTasks = 3;      // from here on agents tell what tasks use

// --- from the server -----------------------------------------------------------------------------

struct AdoptTask {
  TaskKey key;
  bool operator==(const AdoptTask&) const = default;
};
struct StopTask {
  TaskKey key;
  StopOptions options;
  bool operator==(const StopTask&) const = default;
};
struct ReleaseTask {
  TaskKey key;
  bool operator==(const ReleaseTask&) const = default;
};
struct DiscardTask {
  TaskKey key;
  bool operator==(const DiscardTask&) const = default;
};
struct ReadLog {
  std::uint64_t id = 0;
  LogQuery query;
  bool operator==(const ReadLog&) const = default;
};
struct ReadArtifact {
  std::uint64_t id = 0;  // no ReadLog has it too
  ArtifactQuery query;
  bool operator==(const ReadArtifact&) const = default;
};
/// Tasks may run until `lease` after the beat of that number was sent; 0 is the Hello, whose answer
/// this is: from then on both sides say nothing that `protocol` does not have.
struct GrantLease {
  std::uint64_t beat = 0;
  Duration lease;
  std::uint32_t protocol = 0;  // as agreed
  std::uint64_t term = 0;  // the server's; an agent obeys none of an older term than it has seen
  bool operator==(const GrantLease&) const = default;
};
/// Fetch an image before a task needs it. May be dropped: what is under way already, and what is
/// more than waits in line.
struct FetchImage {
  std::string image;  // see parse_image_ref()
  std::string login;  // as ContainerSpec::registry_login
  bool operator==(const FetchImage&) const = default;
};
/// See Executor::freeze().
struct FreezeTask {
  TaskKey key;
  bool frozen = false;
  bool operator==(const FreezeTask&) const = default;
};
using Order =
    std::variant<TaskStart, AdoptTask, StopTask, ReleaseTask, DiscardTask, ReadLog, GrantLease,
                 ExecOrder, ReadArtifact, RepairOrder, FetchImage, FreezeTask>;

// --- from the agent ------------------------------------------------------------------------------

/// What is worth knowing about a machine, and is not decided upon.
struct MachineFacts {
  std::string address;  // where its tasks can be reached by those of other nodes
  std::vector<std::string> addresses;
  std::string kernel;
  std::string gpu_driver;  // empty: none
  std::int32_t numa_nodes = 0;
  std::vector<std::pair<std::string, std::string>> labels;  // "region" and "zone" among them
  std::string version;                                      // of the agent
  std::vector<GpuLink> gpu_links = {};

  bool operator==(const MachineFacts&) const = default;
};

/// The first thing an agent says on a new connection.
struct Hello {
  std::uint32_t protocol_newest = kProtocolNewest;
  std::uint32_t protocol_oldest = kProtocolOldest;
  std::uint64_t life = 0;  // differs from one start of an agent to the next
  NodeSpec node;
  std::vector<std::string> devices;  // CUDA's name of each GPU
  MachineFacts facts;
  std::vector<FoundTask> tasks;  // that it knows of and has not been told to release
  std::vector<TaskKey> logs;     // that it keeps

  bool operator==(const Hello&) const = default;
};

struct TaskBegun {
  TaskKey key;
  StartStages stages;
  bool operator==(const TaskBegun&) const = default;
};
struct TaskOver {
  TaskKey key;
  TaskExit exit;
  bool operator==(const TaskOver&) const = default;
};
/// The answer to ReadLog.
struct LogRead {
  std::uint64_t id = 0;
  Result<LogChunk> chunk;
};
/// The answer to ReadArtifact: the list, where no path was named.
struct ArtifactRead {
  std::uint64_t id = 0;
  Result<ArtifactAnswer> answer;
};
/// A sign of life; numbers count up from 1 on each connection.
struct Beat {
  std::uint64_t number = 0;
  bool operator==(const Beat&) const = default;
};

/// What there is to say of one GPU.
struct GpuNews {
  std::optional<GpuFacts> facts;    // none: as told before on this connection
  std::optional<GpuSample> sample;  // none: nothing new; times are the agent's
  bool operator==(const GpuNews&) const = default;
};
/// What a node's probe sees, about once a second: the Hello's devices in its order, then those that
/// the node leaves out. Who knows them says the limits below at the most.
struct GpusSeen {
  Time said_at;
  std::vector<GpuNews> gpus;
  bool operator==(const GpusSeen&) const = default;
};
/// What both say, where the second one was said later.
GpusSeen joined(GpusSeen first, GpusSeen second);
inline constexpr std::size_t kGpusSeenMax = 64;
inline constexpr std::size_t kGpuTextMax = 128;  // bytes of each name
inline constexpr std::size_t kGpuProcessesMax = 256;
inline constexpr std::size_t kGpuLinksMax = 64;

/// All images that the node holds, kImagesPerNodeMax at most: said once on each connection, and
/// when they have become others, no more often than a beat.
struct ImagesHeld {
  std::vector<HeldImage> images;
  bool operator==(const ImagesHeld&) const = default;
};
/// What came of a FetchImage.
struct ImageFetched {
  std::string image;
  Duration took;
  std::string error;  // empty: it is there
  bool operator==(const ImageFetched&) const = default;
};
inline constexpr std::size_t kFetchErrorMax = 512;  // bytes

/// What one task has used so far.
struct TaskUse {
  TaskKey key;
  TaskUsage used;
  bool operator==(const TaskUse&) const = default;
};
/// What the tasks that run on the node have used, all of them, kTasksUsedMax at most: no more often
/// than a beat.
struct TasksUsed {
  std::vector<TaskUse> tasks;
  bool operator==(const TasksUsed&) const = default;
};
inline constexpr std::size_t kTasksUsedMax = 1000;

/// A task's first byte on stdout or stderr came so long after its start; said once, and before its
/// end. Not of a task whose start the agent has not seen.
struct TaskSpoke {
  TaskKey key;
  Duration after;
  bool operator==(const TaskSpoke&) const = default;
};

using Report = std::variant<TaskBegun, TaskOver, LogRead, Beat, ExecReport, GpusSeen, ArtifactRead,
                            RepairOver, ImagesHeld, ImageFetched, TasksUsed, TaskSpoke>;

// --- both ends of a connection -------------------------------------------------------------------

/// Where the server puts what an agent is to do. Called under a lock: returns at once.
class OrderSink {
 public:
  virtual ~OrderSink() = default;
  virtual void give(const Order& order) = 0;
  /// The connection is of no use any more. Nothing is given after it.
  virtual void end(const Error& why) = 0;
};

/// Where an agent puts what it has to say. Thread-safe; returns at once.
class ReportSink {
 public:
  virtual ~ReportSink() = default;
  virtual void say(Report report) = 0;
};

}  // namespace gyre::act
