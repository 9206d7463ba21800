#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace gyre {

/// A span of time in integer nanoseconds. Value type; may be negative.
struct Duration {
  std::int64_t ns = 0;

  constexpr auto operator<=>(const Duration&) const = default;
  constexpr double seconds() const { return static_cast<double>(ns) * 1e-9; }

  static constexpr Duration max() { return {std::numeric_limits<std::int64_t>::max()}; }
};

constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
constexpr Duration operator*(Duration a, std::int64_t n) { return {a.ns * n}; }
constexpr Duration operator/(Duration a, std::int64_t n) { return {a.ns / n}; }

constexpr Duration nanoseconds(std::int64_t n) { return {n}; }
constexpr Duration milliseconds(std::int64_t n) { return {n * 1'000'000}; }
constexpr Duration seconds(std::int64_t n) { return {n * 1'000'000'000}; }

/// An instant in integer nanoseconds since the world's origin: the Unix epoch in a live world, the
/// trace's first arrival in a simulated one. The core never asks what time it is; events say it.
struct Time {
  std::int64_t ns = 0;

  constexpr auto operator<=>(const Time&) const = default;

  static constexpr Time max() { return {std::numeric_limits<std::int64_t>::max()}; }
};

constexpr Time operator+(Time t, Duration d) { return {t.ns + d.ns}; }
constexpr Time operator-(Time t, Duration d) { return {t.ns - d.ns}; }
constexpr Duration operator-(Time a, Time b) { return {a.ns - b.ns}; }

/// `t + d`, or Time::max() where the sum would overflow. Requires: d >= 0.
constexpr Time saturating_add(Time t, Duration d) {
  return t.ns > Time::max().ns - d.ns ? Time::max() : t + d;
}

}  // namespace gyre
