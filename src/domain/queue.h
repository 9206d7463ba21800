#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/request.h"

namespace gyre {

/// Amounts of what a fleet has, in sum. Also a rate times seconds, where it says so.
struct ResourceSum {
  std::int64_t gpu_milli = 0;
  std::int64_t cpu_milli = 0;
  std::int64_t memory_mib = 0;

  constexpr ResourceSum& operator+=(const ResourceSum& o) {
    gpu_milli += o.gpu_milli;
    cpu_milli += o.cpu_milli;
    memory_mib += o.memory_mib;
    return *this;
  }
  constexpr ResourceSum& operator-=(const ResourceSum& o) { return *this += o * -1; }
  friend constexpr ResourceSum operator*(const ResourceSum& a, std::int64_t n) {
    return {a.gpu_milli * n, a.cpu_milli * n, a.memory_mib * n};
  }
  friend constexpr ResourceSum operator-(ResourceSum a, const ResourceSum& b) { return a -= b; }
  bool operator==(const ResourceSum&) const = default;
};

ResourceSum resources_of(const std::vector<TaskGroup>& tasks);

/// A named line of jobs, and its part of the nodes of its partition, which all queues of one
/// partition share. Queues form trees: what a queue uses, its parent uses too. Jobs wait in queues
/// without children.
struct QueueSpec {
  std::string name{};
  std::string partition{};

  std::string parent{};      // empty: none
  std::int64_t weight = 1;   // of its share beside its siblings' shares, beyond what is guaranteed
  bool weighted = false;     // the weight was stated, so that it counts even where all are equal
  ResourceSum guaranteed{};  // taken back from those who borrow it; 0: none of that kind
  std::optional<std::int64_t> gpu_milli_max{};    // that its jobs hold or are about to
  std::optional<std::int64_t> jobs_max{};         // that run or are about to
  std::optional<std::int64_t> gpu_seconds_max{};  // GPU time in each `gpu_time_window`
  Duration gpu_time_window = seconds(std::int64_t{30} * 86'400);
  Duration half_life{0};  // in which past use counts half; 0: only present use counts

  bool operator==(const QueueSpec&) const = default;

  /// Whether its jobs must ask before they join the line.
  bool has_quota() const { return *this != QueueSpec{name, partition}; }
};

/// What a queue, and those below it, have used; essential state of a controller. Times are whole
/// seconds since the world's origin.
struct QueueUsage {
  std::string queue;
  ResourceSum past;              // decayed mean of what its jobs held
  ResourceSum area;              // held times seconds since the last step of decay
  std::int64_t at_s = 0;         // up to which the rest counts
  std::int64_t window_s = 0;     // begin of the window of GPU time
  std::int64_t gpu_milli_s = 0;  // GPU time in that window, in milli-GPU seconds

  bool operator==(const QueueUsage&) const = default;
};

/// A waiting job that its queue's quota has let into its partition's line, at this place.
struct Admission {
  JobId job;
  std::int64_t place = 0;

  bool operator==(const Admission&) const = default;
};

inline constexpr std::size_t kQueuesMax = 10'000;
inline constexpr std::int64_t kQueueWeightMax = 1'000'000;
inline constexpr int kQueueDepthMax = 16;

/// Errors: a number out of its bounds, a guarantee above a limit.
Result<void> validate(const QueueSpec& queue);

/// Whether the queues can stand beside one another. Errors: a name twice, an unknown parent, a
/// circle of parents, a weight of 0, an amount below 0, a parent in another partition, a guarantee
/// above a limit or above the parent's; says which queue, and what to do.
Result<void> validate(const std::vector<QueueSpec>& queues);

/// The same, and what is guaranteed in sum must be there: `fleet` is what a partition has.
Result<void> validate_guarantees(const std::vector<QueueSpec>& queues, const std::string& partition,
                                 const ResourceSum& fleet);

}  // namespace gyre
