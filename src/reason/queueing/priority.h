#pragma once

#include "reason/queueing/order.h"

namespace gyre::reason {

/// Higher priority first. A running job of lower priority may be stopped for one of higher.
class Priority final : public Order {
 public:
  Rank rank(const Job& job, const OrderView& view) const override;
};

}  // namespace gyre::reason
