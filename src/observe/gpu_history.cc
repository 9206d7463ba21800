#include "observe/gpu_history.h"

#include <algorithm>
#include <utility>

namespace gyre::observe {

void GpuHistory::add(GpuSample sample) {
  if (ring_.size() < samples_max_) {
    ring_.push_back({sample.at, sample.values});
  } else if (!ring_.empty()) {
    ring_[next_] = {sample.at, sample.values};
    next_ = (next_ + 1) % ring_.size();
  }
  latest_ = std::move(sample);
}

void GpuHistory::mark(Time at, GpuHealth health) {
  latest_.at = at;
  latest_.health = health;
}

std::optional<GpuHistory::Window> GpuHistory::window(GpuMetric metric, Duration length) const {
  if (ring_.empty()) return std::nullopt;
  const std::size_t newest = (next_ + ring_.size() - 1) % ring_.size();
  const Time since = ring_[newest].at - length;
  Window window;
  std::int64_t sum = 0;
  for (const Entry& entry : ring_) {
    const auto& value = entry.values[static_cast<std::size_t>(metric)];
    if (entry.at <= since || !value) continue;
    window.max = window.samples == 0 ? *value : std::max(window.max, *value);
    sum += *value;
    ++window.samples;
  }
  if (window.samples == 0) return std::nullopt;
  window.mean = sum / static_cast<std::int64_t>(window.samples);
  return window;
}

}  // namespace gyre::observe
