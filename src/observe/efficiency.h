#pragma once

#include <optional>
#include <string_view>

#include "base/quantity.h"
#include "base/time.h"

namespace gyre::observe {

/// What a running job holds and what it has made of it since it runs.
struct Holding {
  Duration held;               // how long it has run
  std::int64_t gpu_milli = 0;  // of all its tasks
  Duration gpu_seen;           // of `held`, for which readings of all its devices exist; the mean
  std::optional<double> gpu_activity;  // 0..1, of its devices over that time
  std::optional<Duration> gpu_idle;    // since when none of its devices has done anything
  CpuMilli cpu_asked{0};               // 0: it asked for none
  std::optional<CpuMilli> cpu_used;    // mean
  MemoryMib memory_asked{0};           // 0: it asked for none
  std::optional<MemoryMib> memory_peak;
};

enum class Verdict : std::uint8_t {
  Unknown,  // too young, or nothing tells what its devices do
  Idle,     // holds devices and does nothing with them
  Low,      // uses less of them than a smaller request would need
  Good,
};
std::string_view to_string(Verdict verdict);  // "unknown", "idle", "low", "good"

struct EfficiencyRules {
  Duration settle = seconds(600);  // younger jobs are not judged, nor shorter silences
  double idle_below = 0.01;        // activity since it runs
  double low_below = 0.2;
};

/// Its GPUs: idle where they have done nothing for `settle`, or hardly anything since it runs.
Verdict judge(const Holding& holding, const EfficiencyRules& rules);

/// GPU time that was held and not used; 0 unless idle or low.
double wasted_gpu_seconds(const Holding& holding, Verdict verdict);

/// What it could ask for instead: a quarter more than it used, in whole cores and GiB. nullopt:
/// what it asks for is right, within a factor of two, or is not known.
std::optional<CpuMilli> better_cpu(const Holding& holding, const EfficiencyRules& rules);
std::optional<MemoryMib> better_memory(const Holding& holding, const EfficiencyRules& rules);

}  // namespace gyre::observe
