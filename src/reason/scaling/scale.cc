#include "reason/scaling/scale.h"

#include <algorithm>

namespace gyre::reason {

std::int32_t replicas_for(const ReplicaCount& count, std::int64_t load_milli) {
  if (load_milli <= 0) return count.min;
  const std::int32_t least = std::max(1, count.min);
  if (count.target_in_flight == 0) return least;
  const std::int64_t each = std::int64_t{count.target_in_flight} * 1000;
  const std::int64_t asked = (load_milli - 1) / each + 1;
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(asked, least, count.max));
}

Scale scaled(const ReplicaCount& count, Scale scale, std::int64_t load_milli, Time now) {
  const std::int32_t asked = replicas_for(count, load_milli);
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
