#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace gyre {

/// xoshiro256** (Blackman and Vigna, 2018), seeded by splitmix64. The same seed gives the same
/// numbers with every compiler and library. A value type: copy it to fork it. Draw at most once per
/// statement, since argument evaluation order differs between compilers.
class Rng {
 public:
  explicit Rng(std::uint64_t seed);

  /// An independent generator for one named purpose: a new draw in one never shifts another.
  Rng stream(std::string_view name) const;

  std::uint64_t next();                      // uniform over all 64 bits
  std::uint64_t below(std::uint64_t bound);  // uniform in [0, bound). Requires: bound > 0
  double uniform();                          // uniform in [0, 1), 53 bits
  double exponential(double mean);           // Requires: mean > 0

  const std::array<std::uint64_t, 4>& state() const { return state_; }

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace gyre
