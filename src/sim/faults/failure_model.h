#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "sim/traces/fault_trace.h"

namespace gyre::sim {

/// When nodes fail and come back, one change after the other. Either by rate: each node that is up
/// fails after an exponential time of mean `mtbf` and is back after one of mean `mttr`; or as a
/// fault trace says, its n-th node being the fleet's n-th (those beyond the fleet are ignored). By
/// rate there is no last one: after failures_max() a run has seen enough.
/// Deterministic in the seed. A value type.
class FailureModel {
 public:
  static FailureModel none() { return {}; }
  static FailureModel by_rate(Duration mtbf, Duration mttr, std::uint32_t nodes, Rng rng);
  static FailureModel by_trace(FaultTrace trace, std::uint32_t nodes);

  /// The next change at or after `now`. `failures`: whether nodes may fail by rate; repairs and the
  /// trace go on without it.
  std::optional<NodeChange> peek(Time now, bool failures);
  /// Takes what peek() gave.
  void pop(const NodeChange& change);

  /// A hundred for each of so many nodes, 20,000 at least.
  static std::uint64_t failures_max(std::uint32_t nodes);
  /// Whether that many came by rate.
  bool is_spent() const { return rng_ && failures_ >= failures_max_; }

 private:
  void draw_failure(Time now);

  std::vector<NodeChange> trace_;  // by time
  std::size_t next_ = 0;

  std::optional<Rng> rng_;
  std::uint64_t failures_ = 0;
  std::uint64_t failures_max_ = 0;
  Duration mtbf_{0};
  Duration mttr_{0};
  std::vector<std::uint32_t> up_;  // nodes that are up, in an order that the history decides
  std::set<std::pair<Time, std::uint32_t>> repairs_;
  // Drawn for the nodes that are up now. Exponential times have no memory, so it may be drawn anew
  // whenever that changes.
  std::optional<NodeChange> failure_;
};

}  // namespace gyre::sim
