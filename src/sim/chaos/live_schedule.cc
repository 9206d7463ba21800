#include "sim/chaos/live_schedule.h"

#include "sim/chaos/run.h"

namespace gyre::sim {

LiveSchedule::LiveSchedule(const LiveChaos& chaos, std::uint64_t seed, Time begins)
    : limits_(chaos.limits),
      begins_(begins),
      scenario_(draw_shares(chaos.scenario, seed)),
      plan_(plan_faults(scenario_, 1, Rng(seed).stream("live"))) {}

std::optional<Time> LiveSchedule::next_at() const {
  return next_ < plan_.size() ? std::optional(begins_ + plan_[next_].at) : std::nullopt;
}

std::optional<LiveSchedule::Due> LiveSchedule::next(const LiveSight& sight) {
  if (next_ == plan_.size() || begins_ + plan_[next_].at > sight.now) return std::nullopt;
  const PlannedFault& fault = plan_[next_++];
  return Due{fault, obstacle(fault, sight)};
}

std::string_view LiveSchedule::obstacle(const PlannedFault& fault, const LiveSight& sight) const {
  if (!sight.on) return "chaos is off at the server";
  if (sight.now - (begins_ + fault.at) > kLiveLateMax) return "its time was missed";
  if (!limits_.open_at(sight.now) || !limits_.open_at(sight.now + fault.lasts)) {
    return "outside of the hours";
  }
  if (sight.faults_today >= limits_.faults_a_day) return "as many as a day may have";
  if (sight.nodes_broken >= limits_.nodes_at_once) return "as many nodes as may be are broken";
  if (sight.calm_for.ns < 0 || sight.calm_for < limits_.calm) return "the fleet is not calm";
  return "";
}

}  // namespace gyre::sim
