#include "observe/sample_means.h"

#include <algorithm>

#include "base/assert.h"

namespace gyre::observe {

SampleMeans::SampleMeans(GaugeHistory::Resolution resolution)
    : step_(resolution.step), ring_(resolution.steps) {
  GYRE_ASSERT(resolution.step.ns > 0 && resolution.steps > 0);
}

void SampleMeans::add(Time at, std::int64_t value) {
  const auto size = std::ssize(ring_);
  const std::int64_t number = at.ns / step_.ns;
  if (at.ns < 0 || number <= newest_ - size) return;
  for (std::int64_t n = std::max(newest_ + 1, number - size + 1); n <= number; ++n) {
    ring_[static_cast<std::size_t>(n % size)] = {};
  }
  newest_ = std::max(newest_, number);
  Step& step = ring_[static_cast<std::size_t>(number % size)];
  step.sum += value;
  ++step.samples;
}

GaugeHistory::Series SampleMeans::read(Time now) const {
  const auto size = std::ssize(ring_);
  const std::int64_t last = std::max(newest_, now.ns / step_.ns);
  const std::int64_t first = last - size + 1;
  GaugeHistory::Series series{{first * step_.ns}, step_, {}};
  for (std::int64_t number = first; number <= last; ++number) {
    const bool kept = number >= 0 && number > newest_ - size && number <= newest_;
    const Step step = kept ? ring_[static_cast<std::size_t>(number % size)] : Step{};
    series.means.push_back(step.samples > 0 ? std::optional(step.sum / step.samples)
                                            : std::nullopt);
  }
  return series;
}

}  // namespace gyre::observe
