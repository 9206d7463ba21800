#include "domain/policy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"

namespace gyre {

const std::vector<PolicySpec>& named_policies() {
  using Order = PolicySpec::Order;
  using Backfill = PolicySpec::Backfill;
  static const std::vector<PolicySpec> kPolicies{
      {.name = "fifo", .order = Order::Fifo},
      {.name = "easy", .order = Order::Fifo, .backfill = Backfill::Easy},
      {.name = "priority", .order = Order::Priority},
      {.name = "priority-easy", .order = Order::Priority, .backfill = Backfill::Easy},
      {.name = "preemptive",
       .order = Order::Priority,
       .backfill = Backfill::Easy,
       .preemption = true},
  };
  return kPolicies;
}

std::string_view describe(const PolicySpec& policy) {
  if (policy.name == "fifo") return "strict first come, first served";
  if (policy.name == "easy") return "first come, first served, with EASY backfill";
  if (policy.name == "priority") return "strict priority order";
  if (policy.name == "priority-easy") return "priority order with EASY backfill";
  return "priority order, EASY backfill, preemption of preemptible jobs of lower priority";
}

namespace {

Error unknown(std::string_view what, std::string_view name, const std::vector<std::string>& names) {
  const std::string near = nearest(name, names);
  return {ErrorKind::Invalid,
          fmt::format("no {} is named '{}'{}; there are {}", what, name,
                      near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near),
                      fmt::join(names, ", "))};
}

}  // namespace

const std::vector<PlacementName>& placement_names() {
  using enum PolicySpec::Placement;
  static const std::vector<PlacementName> kNames{
      {BestFit, "best-fit", "the node and device left with the least (the default)"},
      {Random, "random", "any node and device with room, all alike"},
      {DotProduct, "dot-product", "least product of what is asked and what is free (Tetris)"},
      {GpuClustering, "gpu-clustering", "nodes that run tasks of the same size (Gandiva)"},
      {GpuPacking, "gpu-packing", "shared GPUs first, then used nodes, then idle ones"},
      {WeightedBestFit, "weighted-best-fit", "least sum of CPU and GPU left, as openb measures it"},
      {Fgd, "fgd", "least growth of fragmentation (ATC 2023)"},
      {Lookahead, "lookahead", "least share lost once the usual tasks have come (Gyre's own)"},
  };
  return kNames;
}

Result<PolicySpec> policy_by_name(std::string_view name) {
  const std::size_t plus = std::min(name.find('+'), name.size());
  std::vector<std::string> names;
  for (const PolicySpec& known : named_policies()) names.push_back(known.name);
  const auto base = std::find(names.begin(), names.end(), name.substr(0, plus));
  if (base == names.end()) return tl::unexpected(unknown("policy", name.substr(0, plus), names));
  PolicySpec policy = named_policies()[static_cast<std::size_t>(base - names.begin())];
  if (plus == name.size()) return policy;
  const std::string_view wanted = name.substr(plus + 1);
  names.clear();
  for (const PlacementName& known : placement_names()) {
    if (known.name == wanted) {
      policy.name = name;
      policy.placement = known.placement;
      return policy;
    }
    names.emplace_back(known.name);
  }
  return tl::unexpected(unknown("placement", wanted, names));
}

}  // namespace gyre
