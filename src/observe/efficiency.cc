#include "observe/efficiency.h"

#include <algorithm>
#include <array>

namespace gyre::observe {
namespace {

/// A quarter more, up to the next multiple of `unit`.
std::int64_t with_room(std::int64_t used, std::int64_t unit) {
  return std::max<std::int64_t>(1, (used + used / 4 + unit - 1) / unit) * unit;
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  static constexpr std::array<std::string_view, 4> kNames{"unknown", "idle", "low", "good"};
  return kNames[static_cast<std::size_t>(verdict)];
}

Verdict judge(const Holding& holding, const EfficiencyRules& rules) {
  if (holding.gpu_milli == 0 || !holding.gpu_activity) return Verdict::Unknown;
  if (holding.gpu_seen < rules.settle) return Verdict::Unknown;
  if (*holding.gpu_activity < rules.idle_below) return Verdict::Idle;
  if (holding.gpu_idle && *holding.gpu_idle >= rules.settle) return Verdict::Idle;
  return *holding.gpu_activity < rules.low_below ? Verdict::Low : Verdict::Good;
}

double wasted_gpu_seconds(const Holding& holding, Verdict verdict) {
  if (verdict != Verdict::Idle && verdict != Verdict::Low) return 0;
  const double gpus = static_cast<double>(holding.gpu_milli) / kWholeGpu.value;
  return holding.held.seconds() * gpus * (1 - std::clamp(*holding.gpu_activity, 0.0, 1.0));
}

std::optional<CpuMilli> better_cpu(const Holding& holding, const EfficiencyRules& rules) {
  if (!holding.cpu_used || holding.held < rules.settle) return std::nullopt;
  const CpuMilli better{with_room(holding.cpu_used->value, 1000)};
  if (better.value * 2 > holding.cpu_asked.value) return std::nullopt;
  return better;
}

std::optional<MemoryMib> better_memory(const Holding& holding, const EfficiencyRules& rules) {
  if (!holding.memory_peak || holding.held < rules.settle) return std::nullopt;
  const MemoryMib better{with_room(holding.memory_peak->value, 1024)};
  if (better.value * 2 > holding.memory_asked.value) return std::nullopt;
  return better;
}

}  // namespace gyre::observe
