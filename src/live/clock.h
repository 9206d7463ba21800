#pragma once

#include <cstdint>
#include <functional>

#include "base/time.h"

namespace gyre::live {

/// The machine's two clocks, read together.
struct ClockReading {
  Time real;           // since the Unix epoch; may be set, forwards and back
  Duration monotonic;  // since the machine's start, sleep included; never set
};

using ClockSource = std::function<ClockReading()>;
ClockSource system_clock_source();

/// Time that never goes back and never stands still: the machine's, or after that has been set back
/// half the speed of it until they meet. Not thread-safe.
class Clock {
 public:
  /// Begins at `not_before` at the earliest.
  Clock(ClockSource source, Time not_before);

  Time now();

  /// How often the machine's clock was found set back by more than a millisecond.
  std::uint64_t steps_back() const { return steps_back_; }

  /// How far this clock is ahead of the machine's.
  Duration ahead() const { return ahead_; }

 private:
  ClockSource source_;
  Time last_;
  Duration last_monotonic_;
  Duration ahead_;
  std::uint64_t steps_back_ = 0;
};

}  // namespace gyre::live
