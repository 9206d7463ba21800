#include "sim/tune/space.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/assert.h"

namespace gyre::sim {
namespace {

constexpr std::int64_t kMinute = 60;
constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kSecondNs = 1'000'000'000;

template <Duration PolicySpec::*Field>
constexpr Tunable span(std::string_view name, std::int64_t least, std::int64_t most) {
  return {name,
          true,
          least,
          most,
          [](const PolicySpec& policy) { return (policy.*Field).ns / kSecondNs; },
          [](PolicySpec& policy, std::int64_t value) { policy.*Field = seconds(value); }};
}

template <auto Field>
constexpr Tunable whole(std::string_view name, std::int64_t least, std::int64_t most) {
  return {name,
          false,
          least,
          most,
          [](const PolicySpec& policy) { return static_cast<std::int64_t>(policy.*Field); },
          [](PolicySpec& policy, std::int64_t value) {
            policy.*Field = static_cast<std::decay_t<decltype(policy.*Field)>>(value);
          }};
}

constexpr Tunable kRunMin = span<&PolicySpec::run_min>("run_min", 1, kDay);
constexpr Tunable kRestartCost = span<&PolicySpec::restart_cost>("restart_cost", 1, kDay / 4);
constexpr Tunable kStarveAfter =
    span<&PolicySpec::starve_after>("starve_after", 10 * kMinute, 90 * kDay);
constexpr Tunable kPreemptionsMax =
    whole<&PolicySpec::preemptions_max>("preemptions_max", 1, 1'000'000);
constexpr Tunable kGainMin = whole<&PolicySpec::gain_min_percent>("gain_min_percent", 100, 10'000);
constexpr Tunable kLevel =
    whole<&PolicySpec::level_gpu_seconds>("level_gpu_seconds", kMinute, 100 * kDay);

double share_of(std::int64_t value, const Tunable& setting) {
  const double least = std::log(static_cast<double>(setting.least));
  const double most = std::log(static_cast<double>(setting.most));
  const auto within = static_cast<double>(std::clamp(value, setting.least, setting.most));
  return (std::log(within) - least) / (most - least);
}

std::int64_t value_at(double share, const Tunable& setting) {
  const double least = std::log(static_cast<double>(setting.least));
  const double most = std::log(static_cast<double>(setting.most));
  const double value = std::exp(least + std::clamp(share, 0.0, 1.0) * (most - least));
  return std::clamp(std::llround(value), static_cast<long long>(setting.least),
                    static_cast<long long>(setting.most));
}

}  // namespace

std::vector<Tunable> tunables(const PolicySpec& base) {
  using Order = PolicySpec::Order;
  std::vector<Tunable> settings;
  if (base.preemption) {
    settings = {kRunMin, kPreemptionsMax};
    if (base.order == Order::Gyre || base.order == Order::Srtf) settings.push_back(kRestartCost);
    if (base.order == Order::Gyre) settings.push_back(kGainMin);
  }
  if (base.order == Order::Tiresias) settings.push_back(kLevel);
  if (base.order != Order::Fifo) settings.push_back(kStarveAfter);
  return settings;
}

std::vector<double> point_of(const PolicySpec& policy, const std::vector<Tunable>& settings) {
  std::vector<double> point;
  for (const Tunable& setting : settings) {
    const std::int64_t value = setting.get(policy);
    // Never is longer than any time.
    const bool never = setting.name == kStarveAfter.name && value == 0;
    point.push_back(never ? 1.0 : share_of(value, setting));
  }
  return point;
}

PolicySpec policy_at(const PolicySpec& base, const std::vector<Tunable>& settings,
                     const std::vector<double>& point) {
  GYRE_ASSERT(settings.size() == point.size());
  PolicySpec policy = base;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    settings[i].set(policy, value_at(point[i], settings[i]));
  }
  return policy;
}

}  // namespace gyre::sim
