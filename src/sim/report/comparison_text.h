#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/report/comparison.h"

namespace gyre::sim {

/// The sentence above the figures: what ran on what, with which seeds.
std::string headline(const Comparison& comparison);

/// A row a figure: its name, then mean and interval a policy. The first row is the heading.
std::vector<std::vector<std::string>> comparison_rows(const Comparison& comparison);

/// A row a figure: its name, then the difference from the first policy a policy beside it.
std::vector<std::vector<std::string>> difference_rows(const Comparison& comparison);

/// What may be said of a difference: "better" or "worse", or "" where chance may have made it.
std::string_view verdict(const Difference& difference, bool less_is_better);

/// "-8.1 % (-9.9 to -6.2), better", or "+1.5 h (-2.0 min to +3.1 h), open".
std::string difference_text(const Difference& difference, bool less_is_better);
std::string difference_json(const Difference& difference);

/// The same without what may be said of it.
std::string interval_text(const Difference& difference);

}  // namespace gyre::sim
