#include "domain/policy.h"

#include <fmt/format.h>

#include "base/units.h"

namespace gyre {

const std::vector<PolicySpec>& named_policies() {
  using Order = PolicySpec::Order;
  using Backfill = PolicySpec::Backfill;
  static const std::vector<PolicySpec> kPolicies{
      {"fifo", Order::Fifo, Backfill::None, false},
      {"easy", Order::Fifo, Backfill::Easy, false},
      {"priority", Order::Priority, Backfill::None, false},
      {"priority-easy", Order::Priority, Backfill::Easy, false},
      {"preemptive", Order::Priority, Backfill::Easy, true},
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

Result<PolicySpec> policy_by_name(std::string_view name) {
  std::vector<std::string> names;
  for (const PolicySpec& policy : named_policies()) {
    if (policy.name == name) return policy;
    names.push_back(policy.name);
  }
  const std::string near = nearest(name, names);
  return fail(ErrorKind::Invalid, "no policy is named '{}'{}; there are {}", name,
              near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near),
              fmt::join(names, ", "));
}

}  // namespace gyre
