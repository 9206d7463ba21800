#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace gyre {

/// Why a queued job does not run; by severity, worst first. Exactly one is true at any time.
enum class WaitReason : std::uint8_t {
  Misconfigured,           // its queue does not exist
  NeverFits,               // no node of the fleet could hold it, were the fleet empty
  OnHold,                  // waits out a retry's backoff
  ExceedsMaxQuota,         // asks for more than its queue may ever use
  WaitingForQuota,         // its queue, or one above it, has used what it may
  TopologyBlocked,         // enough nodes have it free, but not in one domain
  AffinityBlocked,         // the same, but they run what it is to be apart from
  FragmentationBlocked,    // enough is free in sum, but not on the right nodes
  WaitingForPreemption,    // jobs are being stopped to make room for it
  WaitingForProvisioning,  // it would fit, were all nodes up
  ReservedForOther,        // it fits, but what it would take is kept for a job before it
  WaitingForTurn,          // too little is free
  PendingEvaluation,       // it fits; the next decision cycle will look at it
};

std::string_view to_string(WaitReason reason);

/// The reason with the numbers behind it.
struct Explanation {
  WaitReason reason = WaitReason::PendingEvaluation;
  std::string detail;               // one line for a person, with numbers and units
  std::int64_t jobs_ahead = 0;      // in its partition's line
  std::optional<JobId> blocked_by;  // the job that it waits for
};

}  // namespace gyre
