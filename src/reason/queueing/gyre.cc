#include "reason/queueing/gyre.h"

#include <algorithm>

namespace gyre::reason {
namespace {

bool keeps_work(const Job& job) {
  return job.spec->checkpoint.interval.value_or(Duration{0}).ns > 0;
}

/// GPU seconds, with a floor for jobs without GPUs.
double gpu_seconds(double seconds, std::int64_t gpu_milli) {
  return seconds * static_cast<double>(std::max<std::int64_t>(gpu_milli, 100)) / 1000;
}

Rank rank_by(const Job& job, const RunTimes::Belief& belief) {
  return log_step(gpu_seconds(belief.gittins_s, gpu_total(job.spec->tasks).value));
}

Rank rank_at(const Job& job, Duration age, const OrderView& view) {
  return rank_by(job, view.run_times.belief(job, age));
}

/// What it is worth to stop it, net of the work that would be lost: of a job that keeps nothing,
/// all that it will have run by `until`, an age.
Rank worth_by(const Job& job, const RunTimes::Belief& belief, Duration until) {
  if (keeps_work(job)) return rank_by(job, belief);
  return log_step(
      gpu_seconds(belief.gittins_s - until.seconds(), gpu_total(job.spec->tasks).value));
}

}  // namespace

Rank Gyre::rank(const Job& job, const OrderView& view) const {
  return rank_at(job, age_of(job), view);
}

Standing Gyre::standing(const Job& job, const OrderView& view) const {
  const Duration age = age_of(job, view.now);
  const Duration change = RunTimes::next_change(age);
  const Time until = change == Duration::max() ? Time::max() : view.now + (change - age);
  return {worth_by(job, view.run_times.belief(job, age), change), until};
}

bool Gyre::moves(const Job& job, const RunTimes::Belief& before,
                 const RunTimes::Belief& after) const {
  if (!keeps_work(job)) return before.gittins_s != after.gittins_s;
  return rank_by(job, before) != rank_by(job, after);
}

Rank Gyre::bar(Rank rank, std::int64_t gpu_milli, const OrderView& view) const {
  const double cost = gpu_seconds(view.restart_cost.seconds(), gpu_milli);
  const double worth = log_step_begin(rank) + cost;
  return std::max(rank, log_step(worth * view.policy.gain_min_percent / 100));
}

}  // namespace gyre::reason
