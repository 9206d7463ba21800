#pragma once

#include "reason/queueing/order.h"

namespace gyre::reason {

/// Shortest remaining time first (Schrage 1968), by the submitter's estimate less the work that is
/// kept: in a simulation an oracle, and the bound on what knows less.
class Srtf final : public Order {
 public:
  Rank rank(const Job& job, const OrderView& view) const override;
  Standing standing(const Job& job, const OrderView& view) const override;
  Rank bar(Rank rank, std::int64_t gpu_milli, const OrderView& view) const override;
};

}  // namespace gyre::reason
