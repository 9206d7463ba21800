#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "base/time.h"

namespace gyre::observe {

/// The latest of what took time, and their median. Pure and copyable; not thread-safe.
class RecentDurations {
 public:
  static constexpr std::size_t kKept = 100;
  static constexpr std::size_t kMin = 10;  // fewer say nothing

  /// O(kKept).
  void add(Duration took);
  const std::deque<Duration>& latest() const { return latest_; }  // the latest last
  /// The lower one of two; zero while there are fewer than kMin.
  Duration median() const;

 private:
  std::deque<Duration> latest_;
  std::vector<Duration> sorted_;  // the same
};

}  // namespace gyre::observe
