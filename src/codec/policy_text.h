#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "codec/job_spec_text.h"
#include "domain/policy.h"

namespace gyre::codec {

/// Reads a policy file (docs/guide/policies.md, "Policy files"): `version: 1`, a `name`, and what
/// differs from the policy that `base` names, or from PolicySpec's defaults without one. All
/// problems are found in one pass. Pure, thread-safe, O(text).
tl::expected<PolicySpec, std::vector<SpecProblem>> parse_policy(std::string_view text);

/// The same for callers that show one message: the problems joined by "; ", each as describe()
/// prints it.
Result<PolicySpec> read_policy(std::string_view text);

/// The policy as a file that parse_policy() reads as the same, spans to the millisecond. Requires:
/// a valid policy whose name is a policy file's, or one of policy_by_name().
std::string to_yaml(const PolicySpec& policy);

}  // namespace gyre::codec
