#include "domain/gpu_sample.h"

namespace gyre {

const GpuMetricFacts& gpu_metric_facts(GpuMetric metric) {
  static constexpr std::array<GpuMetricFacts, kGpuMetricCount> kFacts{{
      {"utilisation_percent", "DCGM_FI_DEV_GPU_UTIL", "GPU utilization (in %)."},
      {"memory_utilisation_percent", "DCGM_FI_DEV_MEM_COPY_UTIL", "Memory utilization (in %)."},
      {"sm_active_ppm", "DCGM_FI_PROF_SM_ACTIVE",
       "The ratio of cycles an SM has at least 1 warp assigned.", 1'000'000},
      {"memory_used_mib", "DCGM_FI_DEV_FB_USED", "Framebuffer memory used (in MiB)."},
      {"memory_free_mib", "DCGM_FI_DEV_FB_FREE", "Framebuffer memory free (in MiB)."},
      {"power_mw", "DCGM_FI_DEV_POWER_USAGE", "Power draw (in W).", 1000},
      {"power_limit_mw", "DCGM_FI_DEV_POWER_MGMT_LIMIT", "Power limit (in W).", 1000},
      {"energy_mj", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
       "Total energy consumption since boot (in mJ).", 1, true},
      {"sm_clock_mhz", "DCGM_FI_DEV_SM_CLOCK", "SM clock frequency (in MHz)."},
      {"memory_clock_mhz", "DCGM_FI_DEV_MEM_CLOCK", "Memory clock frequency (in MHz)."},
      {"temperature_celsius", "DCGM_FI_DEV_GPU_TEMP", "GPU temperature (in C)."},
      {"ecc_corrected", "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL",
       "Total number of single-bit volatile ECC errors.", 1, true},
      {"ecc_uncorrected", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
       "Total number of double-bit volatile ECC errors.", 1, true},
      {"rows_remapped_correctable", "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS",
       "Number of remapped rows for correctable errors", 1, true},
      {"rows_remapped_uncorrectable", "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
       "Number of remapped rows for uncorrectable errors", 1, true},
      {"rows_remap_pending", "DCGM_FI_DEV_ROW_REMAP_PENDING",
       "Whether remapping of rows is pending"},
      {"rows_remap_failed", "DCGM_FI_DEV_ROW_REMAP_FAILURE",
       "Whether remapping of rows has failed"},
      {"throttle_reasons", "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS",
       "Clocks event reasons (bitmask of NVML)."},
      {"last_xid", "DCGM_FI_DEV_XID_ERRORS", "Value of the last XID error encountered."},
      {"tensor_active_ppm", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
       "Ratio of cycles the tensor (HMMA) pipe is active.", 1'000'000},
  }};
  return kFacts[static_cast<std::size_t>(metric)];
}

GpuHealth GpuTroubles::of(std::int32_t device) const {
  if ((lost >> device & 1) != 0) return GpuHealth::Lost;
  return (unknown >> device & 1) != 0 ? GpuHealth::Unknown : GpuHealth::Ok;
}

void GpuTroubles::set(std::int32_t device, GpuHealth health) {
  const auto bit = static_cast<std::uint16_t>(1U << static_cast<unsigned>(device));
  const auto others = static_cast<std::uint16_t>(~bit);
  unknown =
      static_cast<std::uint16_t>(health == GpuHealth::Unknown ? unknown | bit : unknown & others);
  lost = static_cast<std::uint16_t>(health == GpuHealth::Lost ? lost | bit : lost & others);
}

std::string_view to_string(GpuHealth health) {
  static constexpr std::array<std::string_view, 3> kNames{"ok", "unknown", "lost"};
  return kNames[static_cast<std::size_t>(health)];
}

std::vector<std::string_view> throttle_words(std::int64_t reasons) {
  static constexpr std::array<std::string_view, 9> kWords{
      "idle",          "application_clocks",  "sw_power_cap",        "hw_slowdown",
      "sync_boost",    "sw_thermal_slowdown", "hw_thermal_slowdown", "hw_power_brake",
      "display_clocks"};
  std::vector<std::string_view> words;
  for (std::size_t bit = 0; bit < kWords.size(); ++bit) {
    if ((reasons >> bit & 1) != 0) words.push_back(kWords[bit]);
  }
  return words;
}

}  // namespace gyre
