#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "base/time.h"

namespace gyre {

/// What is measured on a device. Integers in the unit of gpu_metric_facts(). Agents name them by
/// their numbers: a new one comes last.
enum class GpuMetric : std::uint8_t {
  Utilisation,
  MemoryUtilisation,
  SmActive,
  MemoryUsed,
  MemoryFree,
  Power,
  PowerLimit,
  Energy,
  SmClock,
  MemoryClock,
  Temperature,
  EccCorrected,
  EccUncorrected,
  RowsCorrectable,
  RowsUncorrectable,
  RowsPending,
  RowsFailed,
  ThrottleReasons,
  LastXid,
  TensorActive,
};
inline constexpr std::size_t kGpuMetricCount = 20;

struct GpuMetricFacts {
  std::string_view name;       // in REST, with its unit: "power_mw"
  std::string_view dcgm_name;  // of NVIDIA's DCGM exporter; empty: it has none
  std::string_view help;
  std::int64_t dcgm_divisor = 1;  // our unit into the exporter's
  bool counter = false;
};
const GpuMetricFacts& gpu_metric_facts(GpuMetric metric);

enum class GpuHealth : std::uint8_t {
  Ok,
  Unknown,  // the driver does not answer; the values are the last that were read
  Lost,     // the device has fallen off the bus, or the driver has given it up
};
std::string_view to_string(GpuHealth health);  // "ok", "unknown", "lost"

/// Those of a node's devices that are not well; bit i: device i.
struct GpuTroubles {
  std::uint16_t unknown = 0;
  std::uint16_t lost = 0;
  bool operator==(const GpuTroubles&) const = default;

  bool none() const { return unknown == 0 && lost == 0; }
  GpuHealth of(std::int32_t device) const;          // Requires: 0..15
  void set(std::int32_t device, GpuHealth health);  // Requires: 0..15
};

/// NVML's clocks event reasons as words: "sw_power_cap", "hw_thermal_slowdown", ...
std::vector<std::string_view> throttle_words(std::int64_t reasons);

struct GpuProcess {
  std::int64_t pid = 0;
  MemoryMib memory{0};
  bool operator==(const GpuProcess&) const = default;
};

/// One look at one device. A value is absent where the device does not offer it.
struct GpuSample {
  Time at;
  GpuHealth health = GpuHealth::Ok;
  std::array<std::optional<std::int64_t>, kGpuMetricCount> values{};
  std::vector<GpuProcess> processes;
  std::int64_t xids = 0;  // critical errors since the probe began

  bool operator==(const GpuSample&) const = default;

  std::optional<std::int64_t>& operator[](GpuMetric metric) {
    return values[static_cast<std::size_t>(metric)];
  }
  const std::optional<std::int64_t>& operator[](GpuMetric metric) const {
    return values[static_cast<std::size_t>(metric)];
  }
};

struct NvLink {
  std::int32_t link = 0;
  std::string remote_bus_id;  // another GPU's, or a switch's
  bool operator==(const NvLink&) const = default;
};

/// What does not change while the driver runs.
struct GpuFacts {
  std::int32_t index = 0;
  std::string uuid;
  std::string product;  // "NVIDIA A100-SXM4-80GB"
  std::string bus_id;   // "00000000:1B:00.0"
  std::string driver;
  std::vector<NvLink> links;

  bool operator==(const GpuFacts&) const = default;
};

/// One device as a probe knows it.
struct GpuReading {
  GpuFacts facts;
  GpuSample sample;
  bool fresh = false;  // a new sample since the last report
};

}  // namespace gyre
