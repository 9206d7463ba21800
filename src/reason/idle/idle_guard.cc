#include "reason/idle/idle_guard.h"

namespace gyre::reason {

void IdleGuard::configure(const IdleSpec& spec) {
  if (spec == spec_) return;
  spec_ = spec;
  warnings_.clear();
}

IdleGuard::Verdict IdleGuard::sees(const GpuUse& use, Time now) {
  const bool idle =
      spec_.active() && use.known && use.activity_ppm < std::int64_t{spec_.below_percent} * 10'000;
  if (!idle) {
    warnings_.erase(use.job);
    return Verdict::Leave;
  }
  const auto known = warnings_.find(use.job);
  const bool warned = known != warnings_.end() && known->second.use.attempt == use.attempt;
  if (!warned) {
    if (use.over < spec_.window) return Verdict::Leave;
    warnings_.insert_or_assign(use.job, IdleWarning{use, now, saturating_add(now, spec_.grace)});
    return Verdict::Warn;
  }
  // All of the time since the warning, or more.
  const bool went_on = use.over >= spec_.grace && now >= known->second.stops_at;
  return went_on ? Verdict::Stop : Verdict::Leave;
}

const IdleWarning* IdleGuard::warning(JobId job) const {
  const auto known = warnings_.find(job);
  return known == warnings_.end() ? nullptr : &known->second;
}

IdleState IdleGuard::state() const {
  IdleState state{spec_, {}};
  for (const auto& [job, warning] : warnings_) state.warnings.push_back(warning);
  return state;
}

void IdleGuard::restore(const IdleState& state) {
  spec_ = state.spec;
  warnings_.clear();
  for (const IdleWarning& warning : state.warnings) warnings_[warning.use.job] = warning;
}

}  // namespace gyre::reason
