#include "observe/sample_means.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"

namespace gyre::observe {

namespace {

constexpr auto kSamplesMax = std::numeric_limits<std::uint16_t>::max();  // of a step
constexpr std::int64_t kValueMax = std::int64_t{1} << 47;  // so that no sum is too large

}  // namespace

SampleMeans::SampleMeans(GaugeHistory::Resolution resolution)
    : step_(resolution.step), sums_(resolution.steps), samples_(resolution.steps) {
  GYRE_ASSERT(resolution.step.ns > 0 && resolution.steps > 0);
}

void SampleMeans::add(Time at, std::int64_t value) {
  const auto size = std::ssize(sums_);
  const std::int64_t number = at.ns / step_.ns;
  if (at.ns < 0 || number <= newest_ - size) return;
  if (value > kValueMax || value < -kValueMax) return;
  for (std::int64_t n = std::max(newest_ + 1, number - size + 1); n <= number; ++n) {
    sums_[static_cast<std::size_t>(n % size)] = 0;
    samples_[static_cast<std::size_t>(n % size)] = 0;
  }
  newest_ = std::max(newest_, number);
  const auto place = static_cast<std::size_t>(number % size);
  if (samples_[place] == kSamplesMax) return;
  sums_[place] += value;
  ++samples_[place];
}

GaugeHistory::Series SampleMeans::read(Time now) const {
  const auto size = std::ssize(sums_);
  const std::int64_t last = std::max(newest_, now.ns / step_.ns);
  const std::int64_t first = last - size + 1;
  GaugeHistory::Series series{{first * step_.ns}, step_, {}};
  for (std::int64_t number = first; number <= last; ++number) {
    const bool kept = number >= 0 && number > newest_ - size && number <= newest_;
    const auto place = kept ? static_cast<std::size_t>(number % size) : 0;
    series.means.push_back(
        kept && samples_[place] > 0 ? std::optional(sums_[place] / samples_[place]) : std::nullopt);
  }
  return series;
}

}  // namespace gyre::observe
