#include "observe/gauge_history.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace gyre::observe {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

std::int64_t step_of(Time at, Duration step) { return floor_divide(at.ns, step.ns); }

}  // namespace

GaugeHistory::GaugeHistory(std::vector<Resolution> resolutions, Time start, std::int64_t value)
    : last_(start), value_(value) {
  for (const Resolution& one : resolutions) {
    GYRE_ASSERT(one.step.ns > 0 && one.steps > 0);
    tracks_.push_back({one, step_of(start, one.step), std::vector<Step>(one.steps)});
  }
}

void GaugeHistory::set(Time at, std::int64_t value) {
  if (at > last_) {
    for (Track& track : tracks_) cover(track, last_, at, value_);
    last_ = at;
  }
  value_ = value;
}

void GaugeHistory::cover(Track& track, Time from, Time to, std::int64_t value) {
  const std::int64_t size = std::ssize(track.ring);
  const std::int64_t step_ns = track.resolution.step.ns;
  const std::int64_t end = step_of(to, track.resolution.step);
  // Of a long silence only what is kept matters.
  const std::int64_t begin = std::max(track.newest, end - size + 1);
  for (std::int64_t number = std::max(track.newest + 1, begin); number <= end; ++number) {
    track.ring[static_cast<std::size_t>(((number % size) + size) % size)] = {};
  }
  track.newest = end;
  for (std::int64_t number = begin; number <= end; ++number) {
    const std::int64_t opens = std::max(from.ns, number * step_ns);
    const std::int64_t closes = std::min(to.ns, (number + 1) * step_ns);
    // Differences of rounded times, so that no millisecond is lost between two short levels.
    const std::int64_t lasted =
        floor_divide(closes, kMillisecond) - floor_divide(opens, kMillisecond);
    if (lasted <= 0) continue;
    Step& step = track.ring[static_cast<std::size_t>(((number % size) + size) % size)];
    step.sum += value * lasted;
    step.covered += lasted;
  }
}

GaugeHistory::Series GaugeHistory::read(std::size_t resolution, Time now) const {
  GYRE_ASSERT(resolution < tracks_.size());
  Track track = tracks_[resolution];
  if (now > last_) cover(track, last_, now, value_);
  const std::int64_t size = std::ssize(track.ring);
  const std::int64_t first = track.newest - size + 1;
  Series series{{first * track.resolution.step.ns}, track.resolution.step, {}};
  series.means.reserve(track.ring.size());
  for (std::int64_t number = first; number <= track.newest; ++number) {
    const Step& step = track.ring[static_cast<std::size_t>(((number % size) + size) % size)];
    series.means.push_back(step.covered > 0 ? std::optional(step.sum / step.covered)
                                            : std::nullopt);
  }
  return series;
}

}  // namespace gyre::observe
