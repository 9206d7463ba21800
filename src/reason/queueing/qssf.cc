#include "reason/queueing/qssf.h"

namespace gyre::reason {
namespace {

Rank rank_by(const Job& job, const RunTimes::Belief& belief) {
  const double gpus = gpu_total(job.spec->tasks).value / 1000.0;
  return log_step(belief.median_s * gpus);
}

}  // namespace

Rank Qssf::rank(const Job& job, const OrderView& view) const {
  return rank_by(job, view.run_times.belief(job, age_of(job)));
}

bool Qssf::moves(const Job& job, const RunTimes::Belief& before,
                 const RunTimes::Belief& after) const {
  return rank_by(job, before) != rank_by(job, after);
}

}  // namespace gyre::reason
