#include "reason/queueing/tiresias.h"

#include <algorithm>

namespace gyre::reason {
namespace {

/// Run time with which the job leaves the first queue.
Duration allotment(const Job& job, const PolicySpec& policy) {
  const std::int64_t gpu_milli = std::max<std::int64_t>(gpu_total(job.spec->tasks).value, 1);
  return milliseconds(policy.level_gpu_seconds * 1'000'000 / gpu_milli);
}

}  // namespace

Rank Tiresias::rank(const Job& job, const OrderView& view) const {
  return attained(job, view.now) < allotment(job, view.policy) ? 0 : 1;
}

Standing Tiresias::standing(const Job& job, const OrderView& view) const {
  const Duration left = allotment(job, view.policy) - attained(job, view.now);
  if (left.ns <= 0) return {1, Time::max()};
  return {0, saturating_add(view.now, left)};
}

}  // namespace gyre::reason
