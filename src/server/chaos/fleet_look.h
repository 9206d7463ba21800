#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/controller.h"
#include "server/chaos/fault_record.h"

namespace gyre::server {

/// What is to be broken, and whose work it may hit.
struct FaultRequest {
  ChaosFault::Kind kind = ChaosFault::Kind::KillTask;
  ChaosFault::Way way = ChaosFault::Way::Both;
  Duration lasts;
  Duration jump;                    // of StepClock
  Duration delay;                   // of SlowDisk: of each commit
  ChaosNetwork network;             // of SlowNetwork
  std::optional<JobId> job;         // none: any that would be tried again
  std::int32_t rank = 0;            // of that job
  std::vector<std::string> queues;  // whose jobs may be hit; empty: all
  std::vector<std::string> tenants;
  std::uint64_t which = 0;  // chooses the task
  std::string by;
};

/// The fault as it would be, with the task that it hits. Errors: NotFound, no such node or task;
/// Conflict, the node is not up, or something there would not come back, or may not be hit.
Result<FaultRecord> aim(const control::Controller& core, const std::string& node,
                        const FaultRequest& request);

/// The same of the server itself.
FaultRecord aim_at_server(const FaultRequest& request);

/// Why the fleet is not calm, in a line; empty: all that should run and be there does and is. What
/// the faults in `own`, which are not over yet, account for does not count.
std::string unrest(const control::Controller& core, const std::vector<FaultRecord>& own);

/// Brings a fault that has ended up to date: recovered, lost, or as it was.
void look_for_recovery(const control::Controller& core, Time now, FaultRecord& fault);

}  // namespace gyre::server
