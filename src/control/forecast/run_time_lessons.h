#pragma once

#include <map>
#include <optional>

#include "domain/job.h"
#include "domain/job_table.h"
#include "reason/queueing/run_times.h"

namespace gyre::control {

/// How long jobs take, taught by those that are over (reason/queueing/run_times.h). For questions
/// about what is to come; no decision hangs on it. Pure, copyable.
class RunTimeLessons {
 public:
  /// A run of the job was over after so much work. By when they ended.
  void learn(const Job& job, Duration work);
  /// Will be asked about this job, at `now`, when all that is to be learned has been.
  void expect(const Job& job, Time now);

  /// Whether enough like it has run for quantiles to say something.
  bool knows(const JobSpec& spec) const { return run_times_.knows(spec); }
  /// The work that a share of `q` of such jobs do not exceed, given that they exceed `age`.
  /// `age` itself for a job that is not expected.
  Duration quantile(const Job& job, Duration age, double q) const;

  /// What a core's jobs teach; those that have not ended by themselves are expected. O(jobs).
  static RunTimeLessons of(const JobTable& jobs, Time now);

 private:
  reason::RunTimes run_times_;
  std::map<JobId, Job> expected_;  // as much of them as the run times look at
};

/// The work of the run that a job ended with; nullopt where its end says nothing of it.
std::optional<Duration> work_of(const Job& job);

/// What of its work a job has done, if it is not stopped before its next checkpoint.
Duration age_of(const Job& job, Time now);

}  // namespace gyre::control
