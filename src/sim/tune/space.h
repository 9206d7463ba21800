#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "domain/policy.h"

namespace gyre::sim {

/// A setting of a policy that a search may change: a whole number between two bounds, looked for by
/// its logarithm. Spans count seconds.
struct Tunable {
  std::string_view name;  // as in policy files
  bool is_span = false;
  std::int64_t least = 1;
  std::int64_t most = 1;
  std::int64_t (*get)(const PolicySpec&) = nullptr;
  void (*set)(PolicySpec&, std::int64_t) = nullptr;
};

/// What of `base` can be searched: the settings that its order and its preemption go by.
std::vector<Tunable> tunables(const PolicySpec& base);

/// Where a policy stands in the search space, a coordinate 0..1 a setting; what is out of bounds is
/// at the bound.
std::vector<double> point_of(const PolicySpec& policy, const std::vector<Tunable>& settings);

/// The policy at a point. Requires: a coordinate a setting, which may be out of 0..1 a little.
PolicySpec policy_at(const PolicySpec& base, const std::vector<Tunable>& settings,
                     const std::vector<double>& point);

}  // namespace gyre::sim
