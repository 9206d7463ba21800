#include "reason/scaling/scale.h"

#include <algorithm>
#include <cstdlib>

namespace gyre::reason {

std::int32_t replicas_for(const ReplicaCount& count, const Load& load) {
  if (load.milli <= 0 && count.min == 0) return 0;
  std::int64_t asked = load.milli > 0 ? std::max(1, count.min) : count.min;
  if (count.target_in_flight > 0 && load.milli > 0) {
    const std::int64_t each = std::int64_t{count.target_in_flight} * 1000;
    asked = std::max(asked, (load.milli - 1) / each + 1);
  }
  if (count.target_queue_time > Duration{}) asked = std::max<std::int64_t>(asked, load.by_waits);
  if (count.target_gpu_activity > 0) asked = std::max<std::int64_t>(asked, load.by_gpus);
  return static_cast<std::int32_t>(std::min<std::int64_t>(asked, count.max));
}

std::int32_t asked_for(std::int32_t ready, std::int64_t seen, std::int64_t target) {
  if (target <= 0 || seen <= 0) return 0;
  const std::int64_t now = std::max(1, ready);
  if (std::abs(seen - target) <= target / 10) return static_cast<std::int32_t>(now);
  const std::int64_t most = std::min(seen, target * 2);
  return static_cast<std::int32_t>((now * most - 1) / target + 1);
}

Scale scaled(const ReplicaCount& count, Scale scale, const Load& load, Time now) {
  const std::int32_t asked = replicas_for(count, load);
  if (asked >= scale.wanted) return {asked, std::nullopt, 0};
  if (!scale.surplus_since) {
    scale.surplus_since = now;
    scale.surplus_peak = asked;
  }
  scale.surplus_peak = std::max(scale.surplus_peak, asked);
  const Time since = *scale.surplus_since;
  if (scale.surplus_peak == 0) {
    if (now >= saturating_add(since, count.idle)) return {};
    if (now >= saturating_add(since, count.scale_down_after)) scale.wanted = 1;
    return scale;
  }
  if (now < saturating_add(since, count.scale_down_after)) return scale;
  if (scale.surplus_peak == asked) return {asked, std::nullopt, 0};
  return {scale.surplus_peak, now, asked};
}

std::optional<Time> scale_due(const ReplicaCount& count, const Scale& scale) {
  if (!scale.surplus_since) return std::nullopt;
  const Time down = saturating_add(*scale.surplus_since, count.scale_down_after);
  if (scale.surplus_peak > 0) return down;
  const Time idle = saturating_add(*scale.surplus_since, count.idle);
  return scale.wanted > 1 ? std::min(down, idle) : idle;
}

}  // namespace gyre::reason
