#pragma once

#include "reason/queueing/order.h"

namespace gyre::reason {

/// Gyre's own: the least GPU time per expected end first, by what past runs of such jobs taught
/// (Gittins' index in two dimensions; docs/adr has what it was compared with). A running job is
/// stopped where what starts is worth PolicySpec::gain_min_percent of it, net of what that costs:
/// the restart, and of a job that keeps nothing all the work that it has done.
class Gyre final : public Order {
 public:
  Rank rank(const Job& job, const OrderView& view) const override;
  Standing standing(const Job& job, const OrderView& view) const override;
  bool moves(const Job& job, const RunTimes::Belief& before,
             const RunTimes::Belief& after) const override;
  Rank bar(Rank rank, std::int64_t gpu_milli, const OrderView& view) const override;
};

}  // namespace gyre::reason
