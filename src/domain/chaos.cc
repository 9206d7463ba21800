#include "domain/chaos.h"

#include <fmt/format.h>

#include "base/units.h"
#include "domain/policy.h"
#include "domain/request.h"

namespace gyre {
namespace {

constexpr Duration kDay = seconds(86'400);
constexpr Duration kSpanMax = kDay * 366;
constexpr double kOccurrencesMax = 100'000;

Result<void> check(std::string_view what, const CountRange& range, CountRange bounds) {
  if (bounds.min <= range.min && range.min <= range.max && range.max <= bounds.max) return {};
  return fail(ErrorKind::Invalid, "{}: expected a number or a range within {}..{}, found {}..{}",
              what, bounds.min, bounds.max, range.min, range.max);
}

Result<void> check(std::string_view what, const SpanRange& range, SpanRange bounds) {
  if (bounds.min <= range.min && range.min <= range.max && range.max <= bounds.max) return {};
  return fail(ErrorKind::Invalid, "{}: expected a time or a range within {}..{}, lesser first",
              what, format_duration(bounds.min), format_duration(bounds.max));
}

Result<void> check_percent(std::string_view what, const CountRange& percent) {
  if (percent.min >= 0 && percent.min <= percent.max && percent.max <= 100) return {};
  return fail(ErrorKind::Invalid, "{}: expected 0% to 100% or a range of them, found {}%..{}%",
              what, percent.min, percent.max);
}

Result<void> check(const std::string& what, const ChaosNetwork& network) {
  const SpanRange from_zero{Duration{0}, kSpanMax};
  for (const auto& good : {check(what + ".delay", network.delay, from_zero),
                           check_percent(what + ".late", network.late_percent),
                           check(what + ".late_by", network.late_by, from_zero),
                           check_percent(what + ".twice", network.twice_percent),
                           check_percent(what + ".lost", network.lost_percent)}) {
    if (!good) return good;
  }
  return {};
}

bool is_of_disk(ChaosFault::Kind kind) {
  using Kind = ChaosFault::Kind;
  return kind == Kind::FillDisk || kind == Kind::SlowDisk || kind == Kind::BreakDisk;
}

/// What only some kinds have.
Result<void> check_own(const std::string& what, const ChaosFault& fault) {
  using Kind = ChaosFault::Kind;
  if (fault.of == ChaosFault::Of::Server && !is_of_disk(fault.kind)) {
    return fail(ErrorKind::Invalid, "{}.of: only a disk is the node's or the server's", what);
  }
  if (fault.kind == Kind::SlowDisk && (fault.by.min.ns < 0 || fault.by.max.ns <= 0)) {
    return fail(ErrorKind::Invalid, "{}.by: say how much longer the disk takes, as in 100ms..5s",
                what);
  }
  if ((fault.kind == Kind::SlowNetwork) == (fault.network == ChaosNetwork{})) {
    return fail(ErrorKind::Invalid,
                "{}.network: slow-network, and it alone, needs one: {{delay: 1s, lost: 5%}}", what);
  }
  if (auto good = check_percent(what + ".chance", {fault.chance_percent, fault.chance_percent});
      !good) {
    return good;
  }
  return check(what + ".network", fault.network);
}

Result<void> check(const ChaosSpec& spec, const ChaosFault& fault, std::size_t index) {
  const std::string what = fmt::format("faults[{}]", index);
  if (fault.at.has_value() == fault.every.has_value()) {
    return fail(ErrorKind::Invalid, "{}: give either 'at' or 'every'", what);
  }
  if (fault.at && (fault.at->ns < 0 || *fault.at > spec.lasts)) {
    return fail(ErrorKind::Invalid, "{}.at: after the scenario's end, {}", what,
                format_duration(spec.lasts));
  }
  if (fault.every) {
    if (auto good = check(what + ".every", *fault.every, {seconds(1), kSpanMax}); !good) {
      return good;
    }
    if (spec.lasts.seconds() / fault.every->min.seconds() > kOccurrencesMax) {
      return fail(ErrorKind::Invalid, "{}.every: more than {} times in all", what, kOccurrencesMax);
    }
  }
  if (fault.node && (*fault.node < 0 || *fault.node >= spec.fleet.nodes.min)) {
    return fail(ErrorKind::Invalid, "{}.node: there is no node {}; they go from 0 to {}", what,
                *fault.node, spec.fleet.nodes.min - 1);
  }
  if (auto good = check(what + ".for", fault.lasts, {Duration{0}, kSpanMax}); !good) return good;
  if (auto good = check_own(what, fault); !good) return good;
  return check(what + ".by", fault.by, {Duration{-kDay.ns}, kDay});
}

Result<void> check_policy(const std::string& name) {
  if (name == "any") return {};
  if (auto policy = policy_by_name(name); !policy) {
    return fail(ErrorKind::Invalid, "policy: {}, or 'any'", policy.error().message);
  }
  return {};
}

}  // namespace

const std::vector<std::string_view>& chaos_fault_names() {
  static const std::vector<std::string_view> names{
      "kill-node",  "cut-node",     "pause-agent", "restart-agent", "kill-task",
      "hang-task",  "break-gpu",    "drain-node",  "kill-server",   "pause-server",
      "step-clock", "slow-network", "fill-disk",   "slow-disk",     "break-disk"};
  return names;
}

bool is_of_server(const ChaosFault& fault) {
  using Kind = ChaosFault::Kind;
  return fault.kind == Kind::KillServer || fault.kind == Kind::PauseServer ||
         fault.kind == Kind::StepClock || fault.of == ChaosFault::Of::Server;
}

const std::vector<std::string_view>& chaos_plant_names() {
  static const std::vector<std::string_view> names{
      "none",        "lease-ignored", "start-repeated",       "missing-unnoticed",
      "orphan-kept", "device-zero",   "journal-tail-ignored", "ready-unasked"};
  return names;
}

Result<void> validate(const ChaosSpec& spec) {
  const SpanRange any_span{milliseconds(1), kSpanMax};
  const SpanRange from_zero{Duration{0}, kSpanMax};
  const ChaosSpec::Jobs& jobs = spec.jobs;
  for (const auto& good :
       {check("lasts", SpanRange{spec.lasts, spec.lasts}, {seconds(1), kSpanMax}),
        check("settles", SpanRange{spec.settles, spec.settles}, any_span),
        check("fleet.nodes", spec.fleet.nodes, {1, kChaosNodesMax}),
        check("fleet.gpus", spec.fleet.gpus, {0, kGpusPerNodeMax}),
        check("fleet.lease", spec.fleet.lease, {seconds(10), kDay}),
        check("jobs.count", jobs.count, {0, kChaosJobsMax}),
        check("jobs.nodes", jobs.nodes, {1, kChaosNodesMax}),
        check("jobs.gpus", jobs.gpus, {0, kGpusPerNodeMax}),
        check("jobs.length", jobs.length, any_span),
        check("jobs.checkpoint", jobs.checkpoint, from_zero),
        check_percent("jobs.preemptible", jobs.preemptible_percent),
        check_percent("jobs.fail", jobs.fail_percent),
        check_percent("jobs.stop", jobs.stop_percent),
        check("services.count", spec.services.count, {0, kChaosServicesMax}),
        check("services.replicas", spec.services.replicas, {0, kChaosReplicasMax}),
        check("services.gpus", spec.services.gpus, {0, kGpusPerNodeMax}),
        check("services.warm_up", spec.services.warm_up, from_zero),
        check("services.update", spec.services.update, {seconds(1), kSpanMax}),
        check_percent("services.bad", spec.services.bad_percent),
        check("network", spec.network),
        check_policy(spec.policy)}) {
    if (!good) return good;
  }
  if (spec.faults.size() > kChaosFaultsMax) {
    return fail(ErrorKind::Invalid, "faults: at most {} kinds, found {}", kChaosFaultsMax,
                spec.faults.size());
  }
  for (std::size_t i = 0; i < spec.faults.size(); ++i) {
    if (auto good = check(spec, spec.faults[i], i); !good) return good;
  }
  return {};
}

}  // namespace gyre
