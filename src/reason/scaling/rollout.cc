#include "reason/scaling/rollout.h"

#include <algorithm>
#include <tuple>

namespace gyre::reason {

RolloutStep rollout_step(std::span<const Replica> replicas, std::int32_t wanted,
                         std::int32_t revision) {
  std::vector<const Replica*> serving;
  std::int32_t ready = 0;
  std::int32_t current = 0;
  std::int32_t starting = 0;  // of the current revision, not ready yet
  for (const Replica& replica : replicas) {
    if (replica.phase != Replica::Phase::Serving) continue;
    serving.push_back(&replica);
    if (replica.ready) ++ready;
    if (replica.revision == revision) ++current;
    if (replica.revision == revision && !replica.ready) ++starting;
  }
  std::sort(serving.begin(), serving.end(), [revision](const Replica* a, const Replica* b) {
    return std::tuple(a->ready, a->revision == revision, b->job) <
           std::tuple(b->ready, b->revision == revision, a->job);
  });
  RolloutStep step;
  std::int32_t left = static_cast<std::int32_t>(serving.size());
  const std::int32_t may_start = wanted + 1 - std::min(ready, wanted);
  for (const Replica* replica : serving) {
    const bool old = replica->revision != revision;
    const bool surplus =
        current > wanted || wanted == 0 || (!replica->ready && starting > may_start);
    if (!old && !surplus) continue;
    if (replica->ready && ready <= wanted) continue;
    if (replica->ready) --ready;
    if (!old) --current;
    if (!old && !replica->ready) --starting;
    --left;
    step.retire.push_back(replica->job);
  }
  const bool rolling = left > current;
  const std::int32_t room = wanted + (rolling ? 1 : 0) - left;
  step.create = std::max(0, std::min(room, wanted - current));
  return step;
}

bool rolled_out(std::span<const Replica> replicas, std::int32_t wanted, std::int32_t revision) {
  std::int32_t ready = 0;
  for (const Replica& replica : replicas) {
    if (replica.phase != Replica::Phase::Serving) continue;
    if (replica.revision != revision) return false;
    if (replica.ready) ++ready;
  }
  return ready >= std::max(1, wanted);
}

}  // namespace gyre::reason
