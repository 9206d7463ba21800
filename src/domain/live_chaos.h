#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "domain/chaos.h"

namespace gyre {

/// What keeps faults in a running fleet from becoming the outage: the block `live:` of a scenario.
struct LiveLimits {
  Duration from{0};           // since midnight, UTC
  Duration to{kDay};          // before `from`: past midnight
  unsigned days = kEveryDay;  // bit 0: Monday
  std::int64_t nodes_at_once = 1;
  std::int64_t faults_a_day = 24;
  Duration calm = seconds(60);              // how long the fleet must have been calm before each
  Duration recovers_within = seconds(300);  // of the end of each; else all is over
  std::vector<std::string> nodes;           // that may be hit; empty: all that take faults
  std::vector<std::string> queues;          // whose jobs may be; empty: all
  std::vector<std::string> tenants;

  static constexpr Duration kDay = seconds(86'400);
  static constexpr unsigned kEveryDay = 0x7F;

  /// Whether faults may happen then.
  bool open_at(Time at) const;

  bool operator==(const LiveLimits&) const = default;
};

/// A scenario as it is lived through by a running fleet.
struct LiveChaos {
  ChaosSpec scenario;
  LiveLimits limits;
};

inline constexpr Duration kLiveFaultMax = seconds(600);  // then it ends, whatever was asked for
inline constexpr Duration kLiveJumpMax = seconds(600);   // of the server's clock
inline constexpr Duration kLiveDelayMax = seconds(10);   // of one commit
inline constexpr std::int64_t kLiveNodesMax = 100;
inline constexpr std::int64_t kLiveFaultsADayMax = 500;
inline constexpr std::size_t kLiveNamesMax = 1'000;

/// "mon", ...; by bit.
const std::vector<std::string>& weekday_names();

/// Whether a node of a running fleet can have it, or its server.
bool can_be_live_at_node(ChaosFault::Kind kind);
bool can_be_live_at_server(ChaosFault::Kind kind);

/// Errors: a limit out of bounds; says which.
Result<void> validate(const LiveLimits& limits);
/// Errors: as above, and faults that a running fleet cannot have; names all of them.
Result<void> validate(const LiveChaos& chaos);

}  // namespace gyre
