#pragma once

#include "reason/queueing/order.h"

namespace gyre::reason {

/// First come, first served.
class Fifo final : public Order {
 public:
  Rank rank(const Job& job, const OrderView& view) const override;
};

}  // namespace gyre::reason
