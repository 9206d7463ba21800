#pragma once

#include "reason/queueing/order.h"

namespace gyre::reason {

/// Quasi-shortest service first (Hu et al., "Helios", SC 2021): least predicted GPU time first, by
/// the median that past runs taught. Never preempts.
class Qssf final : public Order {
 public:
  Rank rank(const Job& job, const OrderView& view) const override;
  bool moves(const Job& job, const RunTimes::Belief& before,
             const RunTimes::Belief& after) const override;
};

}  // namespace gyre::reason
