#include "sim/report/start_teller.h"

#include "sim/report/recorder.h"

namespace gyre::sim {

void StartTeller::after(const Event& event, const control::Decisions& decisions,
                        const control::Controller& core) {
  for (const Transition& transition : decisions.transitions) {
    const auto told = told_.find(transition.job);
    if (told == told_.end() || transition.to == JobState::Queued) continue;
    if (transition.to == JobState::Starting) {
      counts_.starts.push_back(told->second);
      counts_.starts.back().started_at = event.at;
    }
    told_.erase(told);
  }
  const auto* submitted = std::get_if<JobSubmitted>(&event.body);
  if (submitted == nullptr) return;
  const Job* job = core.jobs().find(submitted->job);
  if (job == nullptr || job->state != JobState::Queued || ++waited_ % one_in_ != 0) return;
  ++counts_.asked;
  const control::StartForecast start = control::Forecaster(core, event.at).start(job->id);
  if (!start.median || !start.latest) return;
  told_[job->id] = {static_cast<std::uint32_t>(job->id.value - 1),
                    event.at,
                    *start.earliest,
                    *start.median,
                    *start.latest,
                    {}};
}

StartsTold StartTeller::result() const {
  StartsTold counts = counts_;
  std::vector<Duration> widths;
  for (const ToldStart& told : counts.starts) {
    ++counts.known;
    counts.inside += told.earliest <= told.started_at && told.started_at <= told.latest ? 1 : 0;
    counts.early += told.started_at < told.earliest ? 1 : 0;
    widths.push_back(told.latest - told.earliest);
  }
  counts.width_median_s = spread_of(widths).p50_s;
  return counts;
}

}  // namespace gyre::sim
