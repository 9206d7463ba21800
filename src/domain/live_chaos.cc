#include "domain/live_chaos.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/units.h"

namespace gyre {
namespace {

constexpr int kThursday = 3;  // 1970-01-01 was one

Result<void> check(std::string_view what, std::int64_t value, std::int64_t max) {
  if (value >= 1 && value <= max) return {};
  return fail(ErrorKind::Invalid, "live.{}: expected a number from 1 to {}, found {}", what, max,
              value);
}

Result<void> check(std::string_view what, Duration value, Duration max) {
  if (value.ns >= 0 && value <= max) return {};
  return fail(ErrorKind::Invalid, "live.{}: expected a time of {} at most", what,
              format_duration(max));
}

}  // namespace

const std::vector<std::string>& weekday_names() {
  static const std::vector<std::string> names{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
  return names;
}

bool LiveLimits::open_at(Time at) const {
  const auto day = static_cast<unsigned>((at.ns / kDay.ns + kThursday) % 7);
  const Duration clock{at.ns % kDay.ns};
  const bool in_hours = from < to ? from <= clock && clock < to : from <= clock || clock < to;
  return (days >> day & 1U) != 0 && in_hours;
}

bool can_be_live(ChaosFault::Kind kind) {
  switch (kind) {
    case ChaosFault::Kind::CutNode:
    case ChaosFault::Kind::PauseAgent:
    case ChaosFault::Kind::RestartAgent:
    case ChaosFault::Kind::KillTask:
    case ChaosFault::Kind::HangTask:
    case ChaosFault::Kind::DrainNode:
      return true;
    case ChaosFault::Kind::KillNode:
    case ChaosFault::Kind::BreakGpu:
    case ChaosFault::Kind::KillServer:
    case ChaosFault::Kind::PauseServer:
    case ChaosFault::Kind::StepClock:
    case ChaosFault::Kind::SlowNetwork:
    case ChaosFault::Kind::FillDisk:
    case ChaosFault::Kind::SlowDisk:
    case ChaosFault::Kind::BreakDisk:
      return false;
  }
  return false;
}

Result<void> validate(const LiveLimits& limits) {
  for (const auto& good : {check("nodes_at_once", limits.nodes_at_once, kLiveNodesMax),
                           check("faults_a_day", limits.faults_a_day, kLiveFaultsADayMax),
                           check("calm", limits.calm, LiveLimits::kDay),
                           check("recovers_within", limits.recovers_within, LiveLimits::kDay)}) {
    if (!good) return good;
  }
  if (limits.from == limits.to) {
    return fail(ErrorKind::Invalid, "live.hours: they begin when they end");
  }
  if (limits.days == 0) return fail(ErrorKind::Invalid, "live.days: there is none");
  for (const auto* names : {&limits.nodes, &limits.queues, &limits.tenants}) {
    if (names->size() > kLiveNamesMax) {
      return fail(ErrorKind::Invalid, "live: {} names at most in one list", kLiveNamesMax);
    }
  }
  return {};
}

Result<void> validate(const LiveChaos& chaos) {
  if (auto good = validate(chaos.limits); !good) return good;
  std::vector<std::string> wrong;
  for (std::size_t i = 0; i < chaos.scenario.faults.size(); ++i) {
    const ChaosFault& fault = chaos.scenario.faults[i];
    const std::string_view name = chaos_fault_names()[static_cast<std::size_t>(fault.kind)];
    if (!can_be_live(fault.kind)) {
      wrong.push_back(fmt::format("faults[{}]: a running fleet cannot have {}", i, name));
    } else if (fault.lasts.max > kLiveFaultMax) {
      wrong.push_back(fmt::format("faults[{}].for: {} at most in a running fleet", i,
                                  format_duration(kLiveFaultMax)));
    } else if (fault.node) {
      wrong.push_back(
          fmt::format("faults[{}].node: numbers mean nothing there; name them in live.nodes", i));
    }
  }
  if (chaos.scenario.faults.empty()) wrong.emplace_back("faults: there is none");
  if (wrong.empty()) return {};
  return fail(ErrorKind::Invalid, "{}", fmt::join(wrong, "; "));
}

}  // namespace gyre
