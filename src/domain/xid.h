#pragma once

#include <cstdint>
#include <string_view>

#include "domain/healing.h"

namespace gyre {

/// What an Xid error of NVIDIA's driver means.
struct XidMeaning {
  std::int32_t xid = 0;
  Symptom symptom = Symptom::UnknownGpuError;  // ApplicationFault, DeviceFault or UnknownGpuError
  bool harmless = false;                       // tells something, and nothing is to be done
  std::string_view description;                // "GPU memory page fault"; static text
  std::string_view action;     // NVIDIA's immediate action: "RESET_GPU"; empty: none is given
  std::string_view follow_up;  // what is to be done where that does not help; empty: as above
};

inline constexpr std::int32_t kXidOffTheBus = 79;

/// By NVIDIA's catalogue for A100 and newer
/// (docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html). What is not in it, or is marked
/// as unused there, is an UnknownGpuError. O(log entries).
XidMeaning meaning_of_xid(std::int32_t xid);

}  // namespace gyre
