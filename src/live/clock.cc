#include "live/clock.h"

#include <algorithm>
#include <ctime>

namespace gyre::live {
namespace {

constexpr Duration kStepMin = milliseconds(1);

std::int64_t read_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

ClockSource system_clock_source() {
  return [] { return ClockReading{{read_ns(CLOCK_REALTIME)}, {read_ns(CLOCK_BOOTTIME)}}; };
}

Clock::Clock(ClockSource source, Time not_before) : source_(std::move(source)) {
  const ClockReading reading = source_();
  last_ = std::max(reading.real, not_before);
  last_monotonic_ = reading.monotonic;
  ahead_ = last_ - reading.real;
  if (ahead_ >= kStepMin) ++steps_back_;
}

Time Clock::now() {
  const ClockReading reading = source_();
  const Duration elapsed{std::max<std::int64_t>(0, (reading.monotonic - last_monotonic_).ns)};
  last_monotonic_ = std::max(last_monotonic_, reading.monotonic);
  const Duration ahead_before = ahead_;
  last_ = std::max(reading.real, last_ + elapsed / 2);
  ahead_ = last_ - reading.real;
  if (ahead_ >= ahead_before + kStepMin) ++steps_back_;
  return last_;
}

}  // namespace gyre::live
