#pragma once

#include "reason/queueing/order.h"

namespace gyre::reason {

/// Shortest job first by the submitter's estimate, which a simulation takes from the trace: then an
/// oracle, and a bound for what knows less. Jobs without an estimate come last. Never preempts.
class Sjf final : public Order {
 public:
  Rank rank(const Job& job, const OrderView& view) const override;
};

}  // namespace gyre::reason
