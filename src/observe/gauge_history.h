#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"

namespace gyre::observe {

/// How a level went over time, as means over steps of equal length, at several lengths at once.
/// Exact: each step's mean weighs each level by the time it lasted. Memory is fixed: 16 bytes a
/// step. Pure and copyable; not thread-safe.
class GaugeHistory {
 public:
  struct Resolution {
    Duration step;
    std::size_t steps = 0;  // kept, the one that goes on included
  };

  /// `value` is the level from `start` on. Requires: each step is positive and each `steps` too.
  GaugeHistory(std::vector<Resolution> resolutions, Time start, std::int64_t value);

  /// The level is `value` from `at` on; an `at` before the latest one counts as the latest. O(steps
  /// passed), at most all that are kept.
  void set(Time at, std::int64_t value);
  std::int64_t value() const { return value_; }

  struct Series {
    Time begins_at;  // of the first step; a whole number of steps since the epoch
    Duration step;
    std::vector<std::optional<std::int64_t>> means;  // oldest first; none: before the start
  };

  /// The steps up to the one that holds `now`, all that are kept. Requires: resolution < their
  /// number. O(steps).
  Series read(std::size_t resolution, Time now) const;

 private:
  struct Step {
    std::int64_t sum = 0;      // level times milliseconds
    std::int64_t covered = 0;  // milliseconds
  };
  struct Track {
    Resolution resolution;
    std::int64_t newest = 0;  // number of the step that goes on, since the epoch
    std::vector<Step> ring;   // by number modulo size
  };

  static void cover(Track& track, Time from, Time to, std::int64_t value);

  std::vector<Track> tracks_;
  Time last_;
  std::int64_t value_;
};

}  // namespace gyre::observe
