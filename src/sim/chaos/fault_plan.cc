#include "sim/chaos/fault_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/chaos/truth.h"

namespace gyre::sim {
namespace {

PlannedFault plan(const ChaosFault& fault, Duration at, std::uint32_t nodes, Rng& rng) {
  PlannedFault planned;
  planned.kind = fault.kind;
  planned.way = fault.way;
  planned.of = fault.of;
  planned.more = fault.by;
  planned.network = fault.network;
  planned.at = at;
  planned.lasts = draw(fault.lasts, rng);
  planned.by = draw(fault.by, rng);
  planned.node = static_cast<std::uint32_t>(rng.below(nodes));
  planned.which = rng.next();
  if (fault.node) planned.node = static_cast<std::uint32_t>(*fault.node);
  return planned;
}

}  // namespace

bool is_of_server(const PlannedFault& fault) {
  ChaosFault asked;
  asked.kind = fault.kind;
  asked.of = fault.of;
  return gyre::is_of_server(asked);
}

std::vector<PlannedFault> plan_faults(const ChaosSpec& spec, std::uint32_t nodes, const Rng& rng) {
  std::vector<PlannedFault> plans;
  for (std::size_t i = 0; i < spec.faults.size(); ++i) {
    const ChaosFault& fault = spec.faults[i];
    // A stream each: one more of a kind shifts none of the others.
    Rng own = rng.stream(fmt::format("fault {}", i));
    Rng whether = own.stream("chance");
    if (!chance(fault.chance_percent, whether)) continue;
    if (fault.at) {
      plans.push_back(plan(fault, *fault.at, nodes, own));
      continue;
    }
    const auto mean = static_cast<double>(draw(*fault.every, own).ns);
    const auto end = static_cast<double>(spec.lasts.ns);
    for (double at = own.exponential(mean); at < end; at += own.exponential(mean)) {
      plans.push_back(plan(fault, Duration{static_cast<std::int64_t>(at)}, nodes, own));
    }
  }
  std::stable_sort(plans.begin(), plans.end(),
                   [](const PlannedFault& a, const PlannedFault& b) { return a.at < b.at; });
  return plans;
}

}  // namespace gyre::sim
