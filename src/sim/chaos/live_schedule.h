#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "domain/live_chaos.h"
#include "sim/chaos/fault_plan.h"

namespace gyre::sim {

/// What of a running fleet decides whether a fault may happen now.
struct LiveSight {
  Time now;
  bool on = false;        // at the server
  Duration calm_for{-1};  // negative: it is not calm
  std::int64_t nodes_broken = 0;
  std::int64_t faults_today = 0;  // since midnight, UTC
};

/// Which faults come to a running fleet, and when: those of the scenario, by a seed, as in a
/// simulation; but one whose time comes when it may not happen is passed over, never made up for.
class LiveSchedule {
 public:
  LiveSchedule(const LiveChaos& chaos, std::uint64_t seed, Time begins);

  struct Due {
    PlannedFault fault;
    std::string_view obstacle;  // why it is passed over; empty: it is to happen
  };
  /// The next one whose time has come.
  std::optional<Due> next(const LiveSight& sight);

  /// How words fare all the time, its shares drawn.
  const ChaosNetwork& network() const { return scenario_.network; }
  /// None will come any more.
  bool is_over(Time now) const { return now >= begins_ + scenario_.lasts; }
  /// When the next one's time comes.
  std::optional<Time> next_at() const;

 private:
  std::string_view obstacle(const PlannedFault& fault, const LiveSight& sight) const;

  const LiveLimits limits_;
  const Time begins_;
  const ChaosSpec scenario_;  // its shares drawn
  const std::vector<PlannedFault> plan_;
  std::size_t next_ = 0;
};

/// Longer ago, a fault's time has been missed.
inline constexpr Duration kLiveLateMax = seconds(30);

}  // namespace gyre::sim
