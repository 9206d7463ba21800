#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/quantity.h"

namespace gyre {

/// One kind of MIG GPU instance of one model (NVIDIA MIG User Guide, "Supported MIG Profiles").
struct MigProfile {
  std::string_view name;     // "3g.40gb"
  std::int32_t compute = 0;  // slices, of the model's 7 or 4
  std::int32_t memory = 0;   // slices, of the model's 8 or 4
  MemoryMib memory_mib{0};   // nominal
  std::int32_t instances_max = 0;
  /// What it takes of a device. Chosen so that profiles whose shares sum to at most 1000 never need
  /// more slices than there are: 3g+3g+1g needs nine of eight memory slices and sums to 1002.
  GpuMilli share{0};
};

/// The profiles of a model as people say it ("H100") with so much memory on each device, by rising
/// share; empty: no MIG, or none known.
std::span<const MigProfile> mig_profiles(std::string_view gpu_model, MemoryMib gpu_memory);

/// The profile of exactly this share; nullptr: there is none.
const MigProfile* mig_profile(std::string_view gpu_model, MemoryMib gpu_memory, GpuMilli share);

}  // namespace gyre
