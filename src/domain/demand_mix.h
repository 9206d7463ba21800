#pragma once

#include <cstdint>
#include <vector>

#include "domain/request.h"

namespace gyre {

/// A kind of task, and how many of it were asked for. Memory does not tell kinds apart.
struct DemandKind {
  Request request;
  std::int64_t tasks = 0;

  bool operator==(const DemandKind&) const = default;
};

/// What tenants usually ask for, learned from what they submit; old demand fades, since all counts
/// are halved whenever kTasksSeenMax is reached. So at most kTasksSeenMax kinds are kept.
///
/// `published` is what policies look at: it follows `seen` in steps (after as many new tasks as
/// half of those seen), so that scores stay valid for a while. Both are essential state: a restored
/// controller must step when the original would.
struct DemandMix {
  std::vector<DemandKind> seen;  // by request, ascending
  std::int64_t tasks_seen = 0;   // sum over `seen`
  std::int64_t tasks_unpublished = 0;
  std::vector<DemandKind> published;  // `seen` at the last step

  bool operator==(const DemandMix&) const = default;
};

inline constexpr std::int64_t kTasksSeenMax = 8192;
inline constexpr std::int64_t kTasksPerStepMin = 32;

/// Counts the tasks of one submission. True if `published` is new. O(log kinds), and O(kinds) at a
/// step or when counts are halved.
bool learn(DemandMix& mix, const std::vector<TaskGroup>& tasks);

/// The most frequent kinds that together are 95 % of all tasks, most frequent first, then by
/// request: the "typical pods" of FGD (Weng et al., USENIX ATC 2023, section 3.1).
std::vector<DemandKind> typical_of(std::vector<DemandKind> seen);

}  // namespace gyre
