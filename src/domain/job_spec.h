#pragma once

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "domain/container.h"
#include "domain/placement_rules.h"
#include "domain/request.h"
#include "domain/topology.h"

namespace gyre {

inline constexpr int kPriorityMin = 0;
inline constexpr int kPriorityMax = 10;
inline constexpr int kPriorityDefault = 5;

/// How a job saves its work. Without an interval a stop loses all work since the start.
struct Checkpoint {
  std::string path;
  std::optional<Duration> interval;
  int signal = 0;                // sent before SIGTERM on preemption; 0: none
  Duration grace = seconds(30);  // from SIGTERM to SIGKILL

  bool operator==(const Checkpoint&) const = default;
};

/// What is started anew when a gang loses one of its nodes.
enum class NodeLossAnswer : std::uint8_t {
  Gang,  // all of its tasks
  Task,  // the lost one, elsewhere, while the others run on; where that cannot be, all
};

/// When an ended attempt is tried again. Preemption by the scheduler always is, and never counts.
struct Retry {
  bool on_error = false;        // a task ended with a non-zero code or by a signal
  bool on_interruption = true;  // the node or the task's supervisor was lost
  bool on_no_capacity = true;   // the start was refused by the node
  std::int32_t retries_max = 3;
  Duration backoff = seconds(1);  // before the first retry; doubles each time
  Duration backoff_max = seconds(300);
  NodeLossAnswer on_node_loss = NodeLossAnswer::Gang;  // nothing to one task

  bool operator==(const Retry&) const = default;
};

/// How often each of its tasks shows that it goes on, in its log. One that does not, and whose GPUs
/// do nothing either, hangs.
struct Progress {
  Duration heartbeat{0};  // kHeartbeatMin..kHeartbeatMax
  std::string line{};     // a line that has this text; empty: anything that it writes

  bool operator==(const Progress&) const = default;
};
inline constexpr Duration kHeartbeatMin = seconds(1);
inline constexpr Duration kHeartbeatMax = seconds(7 * 86'400);

/// What a node runs. The decision core carries it and never looks inside.
struct Launch {
  std::vector<std::string> command;                      // argv; empty: the image's own
  std::vector<std::pair<std::string, std::string>> env;  // in the order given
  std::string working_directory;  // empty: the task's own folder, or the image's
  ContainerSpec container{};
  std::string trace_parent{};  // of the submission, as W3C Trace Context writes it; empty: none
  std::vector<std::string> artifacts{};  // files and folders that are kept when a task has ended
  std::vector<std::string> ports{};      // a TCP port of its node for each name, for each task

  bool operator==(const Launch&) const = default;
};

/// What a tenant asked for; immutable once submitted.
struct JobSpec {
  std::string name;
  std::string tenant;
  std::string queue = "default";
  std::int32_t priority = kPriorityDefault;  // kPriorityMin..kPriorityMax, higher first
  bool preemptible = false;
  std::vector<TaskGroup> tasks;        // at least one task
  std::optional<Topology> topology{};  // nothing to one task
  std::optional<PlacementRules> placement{};
  std::optional<Duration> expected_duration;  // an estimate for planning, never enforced
  std::optional<Duration> deadline;           // since submission; the job is stopped when it passes
  Checkpoint checkpoint;
  std::optional<Progress> progress{};  // none: nobody looks for hangs
  Retry retry;
  Launch launch;

  bool operator==(const JobSpec&) const = default;
};

inline constexpr std::int32_t kTasksPerJobMax = 10'000;
inline constexpr std::size_t kTaskGroupsPerJobMax = 4;

inline constexpr std::size_t kArtifactsPerJobMax = 64;  // that are named
inline constexpr std::size_t kArtifactPathMax = 512;    // bytes
inline constexpr std::size_t kPortsPerTaskMax = 16;
inline constexpr std::size_t kPortNameMax = 15;

/// Errors: a field out of its range; says which, and what it may be.
Result<void> validate(const JobSpec& spec);

/// The name of the group that the job is in; empty without placement rules, or without a name.
std::string_view group_of(const JobSpec& spec);
/// nullopt without placement rules.
std::optional<Affinity> affinity_of(const JobSpec& spec);

/// Letters, digits, '-' and '_' after a letter; small ones. Errors: Invalid.
Result<void> check_port_name(std::string_view name);

/// A path that leads nowhere else: no "..", no "//", UTF-8 without what a terminal obeys. A
/// relative one is below the task's working directory; an absolute one is the container's. Errors:
/// Invalid.
Result<void> check_artifact(std::string_view path, bool in_container);

}  // namespace gyre
