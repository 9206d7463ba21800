#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "domain/service.h"

namespace gyre::reason {

/// How many replicas a load asks for (thousandths of requests, those that wait included): one for
/// each target_in_flight of it, between min and max, none only without any (the rule of Kubernetes'
/// HorizontalPodAutoscaler, without its tolerance).
std::int32_t replicas_for(const ReplicaCount& count, std::int64_t load_milli);

/// More are wanted at once; fewer when they have been enough for scale_down_after, and then as many
/// as the busiest moment of that time asked for; none after `idle` without load. Requires: `now` is
/// not before any call so far.
Scale scaled(const ReplicaCount& count, Scale scale, std::int64_t load_milli, Time now);

/// When scaled() is to be asked again though the load has not changed.
std::optional<Time> scale_due(const ReplicaCount& count, const Scale& scale);

}  // namespace gyre::reason
