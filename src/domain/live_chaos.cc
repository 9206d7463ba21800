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

bool may_step(const ChaosFault& fault) {
  return fault.lasts.min.ns > 0 && fault.by.max <= kLiveJumpMax &&
         fault.by.min >= Duration{-kLiveJumpMax.ns};
}

/// A server's disk can have it.
std::string no_such_disk(std::size_t which, std::string_view name) {
  return fmt::format(
      "faults[{}]: a running fleet cannot have {} of a node, whose tasks write past Gyre; 'of: "
      "server' it can",
      which, name);
}

void check_network(const ChaosSpec& spec, std::vector<std::string>& wrong) {
  const auto check = [&](const std::string& what, const ChaosNetwork& network) {
    if (network.twice_percent.max > 0) {
      wrong.push_back(what + ".twice: over a real connection nothing comes twice");
    }
    if (network.delay.max > kLiveFaultMax || network.late_by.max > kLiveFaultMax) {
      wrong.push_back(fmt::format("{}: delays of {} at most in a running fleet", what,
                                  format_duration(kLiveFaultMax)));
    }
  };
  const bool all_slow = spec.network != ChaosNetwork{};
  check("network", spec.network);
  for (std::size_t i = 0; i < spec.faults.size(); ++i) {
    if (spec.faults[i].kind != ChaosFault::Kind::SlowNetwork) continue;
    check(fmt::format("faults[{}].network", i), spec.faults[i].network);
    if (all_slow) {
      wrong.push_back(fmt::format(
          "faults[{}]: a running node has one network: leave out slow-network, or 'network'", i));
    }
  }
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

bool can_be_live_at_node(ChaosFault::Kind kind) {
  using Kind = ChaosFault::Kind;
  switch (kind) {
    case Kind::KillNode:
    case Kind::CutNode:
    case Kind::PauseAgent:
    case Kind::RestartAgent:
    case Kind::KillTask:
    case Kind::HangTask:
    case Kind::BreakGpu:
    case Kind::DrainNode:
    case Kind::SlowNetwork:
    case Kind::FillDisk:
      return true;
    default:
      return false;
  }
}

bool can_be_live_at_server(ChaosFault::Kind kind) {
  using Kind = ChaosFault::Kind;
  return kind == Kind::KillServer || kind == Kind::PauseServer || kind == Kind::StepClock ||
         kind == Kind::FillDisk || kind == Kind::SlowDisk || kind == Kind::BreakDisk;
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
    const bool can =
        is_of_server(fault) ? can_be_live_at_server(fault.kind) : can_be_live_at_node(fault.kind);
    if (!can && can_be_live_at_server(fault.kind)) {
      wrong.push_back(no_such_disk(i, name));
    } else if (!can) {
      wrong.push_back(fmt::format("faults[{}]: a running fleet cannot have {}", i, name));
    } else if (fault.kind == ChaosFault::Kind::StepClock && !may_step(fault)) {
      wrong.push_back(fmt::format(
          "faults[{}]: a running server's clock comes back, and goes {} astray at most: give it "
          "'for', and a lesser 'by'",
          i, format_duration(kLiveJumpMax)));
    } else if (fault.kind == ChaosFault::Kind::SlowDisk && fault.by.max > kLiveDelayMax) {
      wrong.push_back(fmt::format("faults[{}].by: {} at most in a running fleet", i,
                                  format_duration(kLiveDelayMax)));
    } else if (fault.lasts.max > kLiveFaultMax) {
      wrong.push_back(fmt::format("faults[{}].for: {} at most in a running fleet", i,
                                  format_duration(kLiveFaultMax)));
    } else if (fault.node) {
      wrong.push_back(
          fmt::format("faults[{}].node: numbers mean nothing there; name them in live.nodes", i));
    }
  }
  check_network(chaos.scenario, wrong);
  if (chaos.scenario.faults.empty()) wrong.emplace_back("faults: there is none");
  if (wrong.empty()) return {};
  return fail(ErrorKind::Invalid, "{}", fmt::join(wrong, "; "));
}

}  // namespace gyre
