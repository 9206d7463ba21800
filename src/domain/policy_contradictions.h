#pragma once

#include <string_view>
#include <vector>

#include "domain/policy.h"

namespace gyre {

struct PolicyContradiction {
  std::string_view setting;  // to change, by its name in a policy file
  std::string_view message;  // what is wrong, and what to do
};

/// All that validate() refuses, at once.
std::vector<PolicyContradiction> contradictions(const PolicySpec& policy);

}  // namespace gyre
