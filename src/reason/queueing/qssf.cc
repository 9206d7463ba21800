#include "reason/queueing/qssf.h"

namespace gyre::reason {

Rank Qssf::rank(const Job& job, const OrderView& view) const {
  const double gpus = gpu_total(job.spec.tasks).value / 1000.0;
  return log_step(view.run_times.belief(job, age_of(job)).median_s * gpus);
}

}  // namespace gyre::reason
