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
  /// Which of the node states with room a task takes; one file pair each in src/reason/placement.
  enum class Placement : std::uint8_t {
    BestFit,
    Random,
    DotProduct,
    GpuClustering,
    GpuPacking,
    WeightedBestFit,
    Fgd,
    Lookahead
  };

  std::string name;
  Order order = Order::Fifo;
  Backfill backfill = Backfill::None;
  bool preemption = false;
  Placement placement = Placement::BestFit;

  bool operator==(const PolicySpec&) const = default;
};

/// Every policy that has a name; the last one is the default.
const std::vector<PolicySpec>& named_policies();
std::string_view describe(const PolicySpec& policy);  // one line for a person, placement aside
/// "NAME" or "NAME+PLACEMENT", such as "easy+lookahead". Errors: no such name; the nearest is told.
Result<PolicySpec> policy_by_name(std::string_view name);

struct PlacementName {
  PolicySpec::Placement placement;
  std::string_view name;
  std::string_view description;  // one line for a person
};
const std::vector<PlacementName>& placement_names();  // by value, without gaps

}  // namespace gyre
