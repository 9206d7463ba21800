#include "domain/demand_mix.h"

#include <algorithm>
#include <numeric>

namespace gyre {
namespace {

constexpr std::int64_t kCoveredPercent = 95;

void count(DemandMix& mix, const TaskGroup& group) {
  Request kind = group.request;
  kind.memory = MemoryMib{0};
  auto at = std::lower_bound(
      mix.seen.begin(), mix.seen.end(), kind,
      [](const DemandKind& known, const Request& wanted) { return known.request < wanted; });
  if (at == mix.seen.end() || at->request != kind) at = mix.seen.insert(at, {std::move(kind), 0});
  const std::int64_t tasks = std::min<std::int64_t>(group.count, kTasksSeenMax / 2);
  at->tasks += tasks;
  mix.tasks_seen += tasks;
  mix.tasks_unpublished += tasks;
}

void halve(DemandMix& mix) {
  mix.tasks_seen = 0;
  for (DemandKind& kind : mix.seen) mix.tasks_seen += kind.tasks /= 2;
  std::erase_if(mix.seen, [](const DemandKind& kind) { return kind.tasks == 0; });
}

}  // namespace

bool learn(DemandMix& mix, const std::vector<TaskGroup>& tasks) {
  for (const TaskGroup& group : tasks) count(mix, group);
  while (mix.tasks_seen >= kTasksSeenMax) halve(mix);
  if (mix.tasks_unpublished < std::max(kTasksPerStepMin, mix.tasks_seen / 2)) return false;
  mix.tasks_unpublished = 0;
  if (mix.published == mix.seen) return false;
  mix.published = mix.seen;
  return true;
}

std::vector<DemandKind> typical_of(std::vector<DemandKind> seen) {
  const std::int64_t total =
      std::accumulate(seen.begin(), seen.end(), std::int64_t{0},
                      [](std::int64_t sum, const DemandKind& kind) { return sum + kind.tasks; });
  std::stable_sort(seen.begin(), seen.end(),
                   [](const DemandKind& a, const DemandKind& b) { return a.tasks > b.tasks; });
  std::int64_t covered = 0;
  std::size_t kept = 0;
  while (kept < seen.size() && covered * 100 < total * kCoveredPercent) {
    covered += seen[kept++].tasks;
  }
  seen.resize(kept);
  return seen;
}

}  // namespace gyre
