#pragma once

#include <cstdint>
#include <vector>

#include "observe/gauge_history.h"

namespace gyre::observe {

/// Means of readings over steps of equal length. Unlike a gauge, what is read does not last: a step
/// without a reading is unknown. Memory is fixed: 16 bytes a step. Pure and copyable; not
/// thread-safe.
class SampleMeans {
 public:
  /// Requires: a positive step, and one at least.
  explicit SampleMeans(GaugeHistory::Resolution resolution);

  /// A reading from before all steps that are kept is dropped, as is one from before 1970. O(steps
  /// passed), at most all that are kept.
  void add(Time at, std::int64_t value);

  /// The steps up to the one that holds `now`, all that are kept; means are rounded down. O(steps).
  GaugeHistory::Series read(Time now) const;

 private:
  struct Step {
    std::int64_t sum = 0;
    std::int64_t samples = 0;
  };

  Duration step_;
  std::int64_t newest_ = -1;  // number of the step with the latest reading, since the epoch
  std::vector<Step> ring_;    // by number modulo size
};

}  // namespace gyre::observe
