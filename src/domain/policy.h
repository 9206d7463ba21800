#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gyre {

/// How a partition's line is worked off. Which job is next, what may overtake it, and what may be
/// stopped for it.
struct PolicySpec {
  enum class Order : std::uint8_t { Fifo, Priority };
  enum class Backfill : std::uint8_t { None, Easy };

  std::string name;
  Order order = Order::Fifo;
  Backfill backfill = Backfill::None;
  bool preemption = false;

  bool operator==(const PolicySpec&) const = default;
};

/// Every policy that has a name; the last one is the default.
const std::vector<PolicySpec>& named_policies();
std::string_view describe(const PolicySpec& policy);  // one line for a person
Result<PolicySpec> policy_by_name(std::string_view name);

}  // namespace gyre
