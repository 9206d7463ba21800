#include "reason/fairness/past_use.h"

#include <algorithm>
#include <array>

namespace gyre::reason {
namespace {

constexpr std::int64_t kSteps = 64;
constexpr int kShift = 24;

/// 2^(-k/64) in units of 2^-24, by repeated multiplication.
constexpr std::array<std::int64_t, kSteps> fade_table() {
  std::array<std::int64_t, kSteps> table{};
  double factor = 1;
  for (std::int64_t& entry : table) {
    entry = static_cast<std::int64_t>(factor * (1 << kShift) + 0.5);
    factor *= 0.98922801319397548;
  }
  return table;
}
constexpr auto kFade = fade_table();

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t step_of(const QueueSpec& spec) { return spec.half_life.ns / kSteps / kSecond; }

ResourceSum faded(const ResourceSum& sum, std::int64_t steps) {
  return {reason::faded(sum.gpu_milli, steps), reason::faded(sum.cpu_milli, steps),
          reason::faded(sum.memory_mib, steps)};
}

ResourceSum divided(const ResourceSum& sum, std::int64_t by) {
  return {sum.gpu_milli / by, sum.cpu_milli / by, sum.memory_mib / by};
}

}  // namespace

std::int64_t faded(std::int64_t value, std::int64_t steps) {
  const std::int64_t halvings = steps / kSteps;
  if (halvings > 40) return 0;
  return (value * kFade[static_cast<std::size_t>(steps % kSteps)] >> kShift) >> halvings;
}

Time PastUse::window_end(const QueueSpec& spec, Time now) {
  const std::int64_t window = std::max<std::int64_t>(1, spec.gpu_time_window.ns / kSecond);
  return saturating_add(Time{now.ns / kSecond / window * window * kSecond},
                        Duration{window * kSecond});
}

void PastUse::begin(Time now) {
  state_ = {};
  state_.at_s = now.ns / kSecond;
}

bool PastUse::advance(const QueueSpec& spec, const ResourceSum& held, Time now) {
  const std::int64_t to = now.ns / kSecond;
  const std::int64_t from = state_.at_s;
  const std::int64_t window = std::max<std::int64_t>(1, spec.gpu_time_window.ns / kSecond);
  const std::int64_t begin = to / window * window;
  if (begin != state_.window_s) {
    state_.window_s = begin;
    state_.gpu_milli_s = 0;
  }
  if (to <= from) return false;
  state_.gpu_milli_s += held.gpu_milli * (to - std::max(from, begin));
  state_.at_s = to;
  const std::int64_t step = step_of(spec);
  if (step <= 0) return false;
  const std::int64_t boundary = (from / step + 1) * step;
  if (to < boundary) {
    state_.area += held * (to - from);
    return false;
  }
  // The step that ends, whole ones that followed it, and the beginning of the one that goes on.
  const auto fold = [&](const ResourceSum& mean, std::int64_t steps) {
    const ResourceSum before = state_.past;
    state_.past = faded(before, steps);
    state_.past += mean - faded(mean, steps);
  };
  state_.area += held * (boundary - from);
  fold(divided(state_.area, step), 1);
  const std::int64_t whole = (to - boundary) / step;
  if (whole > 0) fold(held, whole);
  state_.area = held * (to - boundary - whole * step);
  return true;
}

}  // namespace gyre::reason
