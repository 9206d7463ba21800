#include "reason/preemption/victims.h"

#include <algorithm>
#include <tuple>

#include "reason/placement/search.h"

namespace gyre::reason {
namespace {

struct Candidate {
  const Job* job;
  double at_risk;

  auto rank() const { return std::tuple(job->spec.priority, at_risk, job->id); }
};

bool fits_now(const Question& question, const Demand& demand) {
  return question.cluster.free_gpu_milli(demand.partition) >= demand.gpu_milli &&
         fits(question.cluster, demand, question.work);
}

/// Takes victims back, dearest first, where the head fits without them gone.
std::vector<JobId> spare(const Question& question, const Demand& demand, Trial& trial,
                         const std::vector<Candidate>& victims) {
  std::vector<JobId> needed;
  for (auto victim = victims.rbegin(); victim != victims.rend(); ++victim) {
    allocate_all(*victim->job, trial);
    if (fits_now(question, demand)) continue;
    release_all(*victim->job, trial);
    needed.push_back(victim->job->id);
  }
  return needed;
}

}  // namespace

double work_at_risk(const Job& job, Time now) {
  Duration unsaved = now - job.attempt_started_at;
  const auto& interval = job.spec.checkpoint.interval;
  if (interval && interval->ns > 0) unsaved = Duration{unsaved.ns % interval->ns};
  return static_cast<double>(gpu_total(job.spec.tasks).value) * static_cast<double>(unsaved.ns);
}

std::vector<JobId> choose_victims(const Question& question, const Job& head, const Demand& demand,
                                  const Running& running) {
  if (!running.has_evictable(head.spec.priority)) return {};
  Trial trial(question.cluster, demand.partition);
  for (const auto& [end, id] : running.leaving()) release_all(*question.jobs.find(id), trial);
  if (!running.leaving().empty() && fits_now(question, demand)) return {};
  std::vector<Candidate> candidates;
  for (const JobId id : running.evictable()) {
    const Job& job = *question.jobs.find(id);
    if (job.spec.priority >= head.spec.priority) continue;
    candidates.push_back({&job, work_at_risk(job, question.now)});
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.rank() < b.rank(); });
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    release_all(*candidates[i].job, trial);
    if (!fits_now(question, demand)) continue;
    candidates.resize(i + 1);
    return spare(question, demand, trial, candidates);
  }
  return {};
}

}  // namespace gyre::reason
