#include "reason/queueing/srtf.h"

#include <algorithm>

#include "reason/queueing/estimate.h"

namespace gyre::reason {

Rank Srtf::rank(const Job& job, const OrderView& /*view*/) const {
  const auto estimate = estimate_of(job.spec);
  if (!estimate) return Duration::max().ns;
  return std::max<Rank>(0, (*estimate - job.kept).ns);
}

/// While a job runs, what remains shrinks as the clock goes on: its end stands still.
Standing Srtf::standing(const Job& job, const OrderView& view) const {
  return {saturating_add(job.attempt_started_at, Duration{rank(job, view)}).ns, Time::max()};
}

Rank Srtf::bar(Rank rank, std::int64_t /*gpu_milli*/, const OrderView& view) const {
  if (rank < 0) return rank;  // it has waited too long: whatever may be stopped is
  return saturating_add(saturating_add(view.now, view.restart_cost), Duration{rank}).ns;
}

}  // namespace gyre::reason
