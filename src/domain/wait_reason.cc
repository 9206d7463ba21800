#include "domain/wait_reason.h"

#include <array>
#include <cstddef>

namespace gyre {

std::string_view to_string(WaitReason reason) {
  static constexpr std::array<std::string_view, 13> kNames{"Misconfigured",
                                                           "NeverFits",
                                                           "OnHold",
                                                           "ExceedsMaxQuota",
                                                           "WaitingForQuota",
                                                           "TopologyBlocked",
                                                           "AffinityBlocked",
                                                           "FragmentationBlocked",
                                                           "WaitingForPreemption",
                                                           "WaitingForProvisioning",
                                                           "ReservedForOther",
                                                           "WaitingForTurn",
                                                           "PendingEvaluation"};
  return kNames[static_cast<std::size_t>(reason)];
}

}  // namespace gyre
