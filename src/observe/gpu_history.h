#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/time.h"
#include "domain/gpu_sample.h"

namespace gyre::observe {

/// The last samples of one device, in memory that is bounded by their number. Pure; not
/// thread-safe.
class GpuHistory {
 public:
  explicit GpuHistory(std::size_t samples_max) : samples_max_(samples_max) {}

  void add(GpuSample sample);

  /// Marks the device without a new reading: the values stay those of the latest sample.
  void mark(Time at, GpuHealth health);

  /// The latest, or an empty one of unknown health where there is none yet.
  const GpuSample& latest() const { return latest_; }

  struct Window {
    std::int64_t mean = 0;  // rounded down
    std::int64_t max = 0;
    std::size_t samples = 0;
  };

  /// Of the values read within `length` before the latest sample, it included; nullopt where there
  /// is none. O(samples kept).
  std::optional<Window> window(GpuMetric metric, Duration length) const;

  std::size_t size() const { return ring_.size(); }

 private:
  struct Entry {
    Time at;
    std::array<std::optional<std::int64_t>, kGpuMetricCount> values;
  };

  std::size_t samples_max_;
  std::size_t next_ = 0;  // where the next one goes once the ring is full
  std::vector<Entry> ring_;
  GpuSample latest_{
      .at = {}, .health = GpuHealth::Unknown, .values = {}, .processes = {}, .xids = 0};
};

}  // namespace gyre::observe
