#include "control/forecast/run_time_lessons.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace gyre::control {

namespace {

/// What the run times look at.
Job outline(const Job& job) {
  Job same;
  same.id = job.id;
  same.spec = job.spec;
  return same;
}

}  // namespace

void RunTimeLessons::learn(const Job& job, Duration work) {
  if (!validate(job.spec)) return;
  Job done = outline(job);
  done.batch = run_times_.batch_for(job.spec, job.id, job.submitted_at);
  run_times_.observe(done, work);
}

void RunTimeLessons::expect(const Job& job, Time now) {
  if (!validate(job.spec)) return;
  Job to_come = outline(job);
  to_come.batch = run_times_.batch_for(job.spec, job.id, now);
  run_times_.join(to_come, Duration{0});
  expected_.insert_or_assign(job.id, std::move(to_come));
}

Duration RunTimeLessons::quantile(const Job& job, Duration age, double q) const {
  const auto found = expected_.find(job.id);
  return found == expected_.end() ? age : run_times_.quantile(found->second, age, q);
}

RunTimeLessons RunTimeLessons::of(const JobTable& jobs, Time now) {
  RunTimeLessons lessons;
  std::vector<std::pair<Time, const Job*>> over;
  std::vector<const Job*> open;
  jobs.for_each([&](const Job& job) {
    if (work_of(job)) {
      over.emplace_back(job.state_since, &job);
    } else {
      open.push_back(&job);
    }
  });
  std::stable_sort(over.begin(), over.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [at, job] : over) lessons.learn(*job, *work_of(*job));
  for (const Job* job : open) lessons.expect(*job, now);
  return lessons;
}

std::optional<Duration> work_of(const Job& job) {
  const bool by_itself = job.state == JobState::Succeeded ||
                         (job.state == JobState::Failed && job.ending == Termination::TaskFailed);
  if (!by_itself || job.attempt == 0) return std::nullopt;
  const bool saves = job.spec->checkpoint.interval.value_or(Duration{0}).ns > 0;
  return saves ? job.kept : job.state_since - job.attempt_started_at;
}

Duration age_of(const Job& job, Time now) {
  return job.kept + (is_placed(job.state) ? now - job.attempt_started_at : Duration{0});
}

}  // namespace gyre::control
