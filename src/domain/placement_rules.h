#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "domain/topology.h"

namespace gyre {

/// Jobs that are counted together when others say what they want to be near to, or apart from: a
/// hash of a tenant and a name. 0: of no group.
using GroupId = Id<struct GroupTag>;

/// FNV-1a, 64 bits; 0 for an empty name.
GroupId group_id(std::string_view tenant, std::string_view name);

/// Whether tasks of a group go to the domains that have fewest of them, or most.
enum class Balance : std::uint8_t { None, Spread, Pack };

/// What a job asks of the nodes that its tasks share with others. All of it counts when the job
/// starts; what starts later beside it is not held back.
struct PlacementRules {
  std::string group;              // that the job is in; empty: that of the job's name
  std::int32_t max_per_node = 0;  // tasks of its group, this one included; 0: any number
  Balance balance = Balance::None;
  TopologyLevel level = TopologyLevel::Node;  // whose domains are balanced
  std::string near;   // a group: as near to its tasks as there is room now; empty: none
  std::string apart;  // a group: not on a node that runs it; empty: none

  auto operator<=>(const PlacementRules&) const = default;
};

/// In the words of a job spec: "max_per_node: 2, spread: rack"; empty if nothing is asked.
std::string to_string(const PlacementRules& rules);
/// The same read back; ';' is as good as ','. Errors: Invalid.
Result<PlacementRules> parse_placement_rules(std::string_view text);

/// The same by ids: what a placement looks at.
struct Affinity {
  GroupId group;
  GroupId near;
  GroupId apart;
  std::int32_t max_per_node = 0;
  Balance balance = Balance::None;
  TopologyLevel level = TopologyLevel::Node;

  auto operator<=>(const Affinity&) const = default;

  /// Whether there are nodes that it may not take, whatever is free on them.
  bool restricts() const { return max_per_node > 0 || apart.value != 0; }
  /// The same of a node with so many tasks of its group, and of that which it is apart from.
  bool allows(std::int32_t own, std::int32_t others) const {
    return (max_per_node == 0 || own < max_per_node) && (apart.value == 0 || others == 0);
  }
};

}  // namespace gyre
