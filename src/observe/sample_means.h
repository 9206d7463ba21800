#pragma once

#include <cstdint>
#include <vector>

#include "observe/gauge_history.h"

namespace gyre::observe {

/// Means of readings over steps of equal length. Unlike a gauge, what is read does not last: a step
/// without a reading is unknown. Memory is fixed: 10 bytes a step. Pure and copyable; not
/// thread-safe.
class SampleMeans {
 public:
  /// Requires: a positive step, and one at least.
  explicit SampleMeans(GaugeHistory::Resolution resolution);

  /// A reading from before all steps that are kept is dropped, as is one from before 1970, the
  /// 65,536th of a step, and one that is not within 2^47. O(steps passed), at most all that are
  /// kept.
  void add(Time at, std::int64_t value);

  /// The steps up to the one that holds `now`, all that are kept; means are rounded down. O(steps).
  GaugeHistory::Series read(Time now) const;

 private:
  Duration step_;
  std::int64_t newest_ = -1;        // number of the step with the latest reading, since the epoch
  std::vector<std::int64_t> sums_;  // by number modulo size
  std::vector<std::uint16_t> samples_;  // the same
};

}  // namespace gyre::observe
