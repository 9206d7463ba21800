#pragma once

#include <span>
#include <vector>

#include "domain/service.h"

namespace gyre::reason {

/// What brings a service nearer to its wanted replicas.
struct RolloutStep {
  std::int32_t create = 0;    // of the current revision
  std::vector<JobId> retire;  // these are to go
};

/// The next step of a rolling update with one replica more than wanted at most (maxSurge 1), and
/// never fewer ready ones than there are or than are wanted, whichever is less (maxUnavailable 0).
/// Replicas that are not serving are on their way out and count for nothing. Of several that could
/// go: those that are not ready, then older revisions, then the youngest.
RolloutStep rollout_step(std::span<const Replica> replicas, std::int32_t wanted,
                         std::int32_t revision);

/// True when there are `wanted` ready replicas of the revision, one at least, and no others serve.
bool rolled_out(std::span<const Replica> replicas, std::int32_t wanted, std::int32_t revision);

}  // namespace gyre::reason
