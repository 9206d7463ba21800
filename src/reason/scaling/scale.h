#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "domain/service.h"

namespace gyre::reason {

/// What asks for replicas.
struct Load {
  std::int64_t milli = 0;     // requests, in thousandths, those that wait included
  std::int32_t by_waits = 0;  // replicas, see asked_for()
  std::int32_t by_gpus = 0;
};

/// How many replicas a load asks for: the most that any of its parts does, between min and max; one
/// for each target_in_flight of the requests; none only without any (the rule of Kubernetes'
/// HorizontalPodAutoscaler, without its tolerance).
std::int32_t replicas_for(const ReplicaCount& count, const Load& load);

/// How many replicas a measure asks for that `ready` ones have brought to `seen`, so that it comes
/// to `target`: in proportion, as many as there are within a tenth of it, and at most twice as many
/// (HorizontalPodAutoscaler's rule and tolerance). 0, nothing is asked: without a target, or where
/// nothing was seen. Requires: `ready` <= kReplicasMax; `seen` and `target` up to 1e15.
std::int32_t asked_for(std::int32_t ready, std::int64_t seen, std::int64_t target);

/// More are wanted at once; fewer when they have been enough for scale_down_after, and then as many
/// as the busiest moment of that time asked for; none after `idle` without load. Requires: `now` is
/// not before any call so far.
Scale scaled(const ReplicaCount& count, Scale scale, const Load& load, Time now);

/// When scaled() is to be asked again though the load has not changed.
std::optional<Time> scale_due(const ReplicaCount& count, const Scale& scale);

}  // namespace gyre::reason
