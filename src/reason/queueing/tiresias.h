#pragma once

#include "reason/queueing/order.h"

namespace gyre::reason {

/// Discretised two-dimensional least attained service (Gu et al., "Tiresias", NSDI 2019) with two
/// queues: jobs that had less than PolicySpec::level_gpu_seconds of GPU time go before the others,
/// first come, first served within each. Knows nothing of run times.
class Tiresias final : public Order {
 public:
  Rank rank(const Job& job, const OrderView& view) const override;
  Standing standing(const Job& job, const OrderView& view) const override;
};

}  // namespace gyre::reason
