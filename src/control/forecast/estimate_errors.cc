#include "control/forecast/estimate_errors.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "control/forecast/run_time_lessons.h"
#include "reason/queueing/estimate.h"

namespace gyre::control {

EstimateErrors EstimateErrors::of(const JobTable& jobs) {
  std::vector<const Job*> over;
  jobs.for_each([&](const Job& job) {
    if (reason::estimate_of(job.spec) && work_of(job)) over.push_back(&job);
  });
  std::sort(over.begin(), over.end(), [](const Job* a, const Job* b) {
    return std::tuple(b->state_since, b->id) < std::tuple(a->state_since, a->id);
  });
  EstimateErrors errors;
  for (const Job* job : over) {  // the latest first
    // Of what later attempts took to start nothing is kept: it counts as work.
    const bool once = job->attempt == 1 && job->first_started_at;
    Run run;
    if (once) run.start = *job->first_started_at - job->attempt_started_at;
    run.of_declared =
        (*work_of(*job) - run.start).seconds() / job->spec->expected_duration->seconds();
    if (errors.all_.size() < kRunsMax) errors.all_.push_back(run);
    Runs& own = errors.by_tenant_[job->spec->tenant];
    if (own.size() < kRunsMax) own.push_back(run);
  }
  return errors;
}

bool EstimateErrors::vary() const {
  if (all_.size() < kRunsMin) return false;
  const auto [least, most] =
      std::minmax_element(all_.begin(), all_.end(),
                          [](const Run& a, const Run& b) { return a.of_declared < b.of_declared; });
  return most->of_declared > 1.01 * least->of_declared;
}

const EstimateErrors::Runs* EstimateErrors::runs_for(const JobSpec& spec) const {
  const auto own = by_tenant_.find(spec.tenant);
  if (own != by_tenant_.end() && own->second.size() >= kRunsMin) return &own->second;
  return all_.size() >= kRunsMin ? &all_ : nullptr;
}

std::optional<Duration> EstimateErrors::quantile(const JobSpec& spec, Duration age,
                                                 double q) const {
  std::vector<Duration> longer;
  for (const Run& run : *runs_for(spec)) {
    const double worked = static_cast<double>(spec.expected_duration->ns) * run.of_declared;
    const Duration total = run.start + Duration{std::llround(std::min(worked, 4e18))};
    if (total > age) longer.push_back(total);
  }
  if (longer.empty()) return std::nullopt;
  const auto rank = static_cast<std::ptrdiff_t>(q * static_cast<double>(longer.size()));
  std::nth_element(longer.begin(), longer.begin() + rank, longer.end());
  return longer[static_cast<std::size_t>(rank)];
}

}  // namespace gyre::control
