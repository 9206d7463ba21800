#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "domain/policy.h"

namespace gyre::sim {

/// The fleet that was measured: openb's nodes with GPUs.
inline constexpr std::uint64_t kPublishedNodes = 1213;
inline constexpr std::uint64_t kPublishedGpus = 6212;

/// GPU allocation in percent of the fleet, mean of seeds 42 to 51.
struct PublishedAllocation {
  double at_100 = 0;  // percent of arrived load
  double at_130 = 0;
};

/// What the authors of FGD measured for a variant of openb ("openb_pod_list_default.csv", or with
/// .gz); nullopt for other traces and for placements that are not theirs. Source: means of
/// experiments/analysis/expected_results/analysis_allo_discrete.csv (tune 1.3) of
/// github.com/hkust-adsl/kubernetes-scheduler-simulator at 8f3d6417, Apache-2.0.
std::optional<PublishedAllocation> published_allocation(std::string_view trace,
                                                        PolicySpec::Placement placement);

}  // namespace gyre::sim
