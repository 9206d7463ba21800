#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "codec/job_spec_text.h"
#include "domain/healing.h"

namespace gyre::codec {

/// Reads a file of playbooks (docs/guide/healing.md, "Playbooks of one's own"): `version: 1`, a
/// `name`, and playbooks that lead from what is seen to what is done, one to the next by `again`.
/// What they come to is a HealingSpec. Errors: with its place, all that is wrong; a playbook that
/// contradicts itself or another, leads back to itself, or can do nothing. Pure, thread-safe,
/// O(text + playbooks²).
tl::expected<HealingSpec, std::vector<SpecProblem>> parse_healing(std::string_view text);

/// As a file that parse_healing() reads as the same, spans to the millisecond; a playbook for each
/// rule, so that those of one to which several lead have other names.
std::string to_yaml(const HealingSpec& spec);

inline constexpr std::size_t kPlaybooksMax = 50;

}  // namespace gyre::codec
