#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/time.h"

namespace gyre::server {

/// Durations counted in buckets, as a Prometheus histogram has them. Not thread-safe.
class Histogram {
 public:
  /// `bounds`: upper bounds in seconds, ascending; one more bucket has none. They outlive this.
  explicit Histogram(std::span<const double> bounds)
      : bounds_(bounds), buckets_(bounds.size() + 1) {}

  /// A negative duration counts as none.
  void add(Duration duration) {
    const double value = std::max(0.0, duration.seconds());
    const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
    ++buckets_[static_cast<std::size_t>(bound - bounds_.begin())];
    sum_ += value;
  }

  std::span<const double> bounds() const { return bounds_; }
  const std::vector<std::uint64_t>& buckets() const { return buckets_; }  // not cumulative
  double sum() const { return sum_; }                                     // seconds

 private:
  std::span<const double> bounds_;
  std::vector<std::uint64_t> buckets_;
  double sum_ = 0;
};

}  // namespace gyre::server
