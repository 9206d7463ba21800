#pragma once

#include <cstdint>
#include <optional>

#include "domain/job.h"

namespace gyre::reason {

inline constexpr Duration kEstimateMax = seconds(std::int64_t{10} * 366 * 86'400);

/// What was declared of a job's run time, where a plan may go by it: nullopt where nothing was, or
/// what cannot be: nothing at all, less, or more than ten years.
inline std::optional<Duration> estimate_of(const JobSpec& spec) {
  const auto& declared = spec.expected_duration;
  const bool sane = declared && declared->ns > 0 && *declared <= kEstimateMax;
  return sane ? declared : std::nullopt;
}

/// Predictions that were not gone by. In their stead a job is taken to run as long again as it has
/// run; one that waits, to run for nobody knows how long.
struct PredictionFallbacks {
  std::uint64_t absurd = 0;   // declared: zero, or more than ten years
  std::uint64_t overrun = 0;  // declared: the job has run for over a tenth more
  std::uint64_t unseen = 0;   // learned: the job has run for longer than all like it
};

}  // namespace gyre::reason
