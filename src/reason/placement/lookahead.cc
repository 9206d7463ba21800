#include "reason/placement/lookahead.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "base/rng.h"
#include "reason/placement/best_fit.h"
#include "reason/placement/measures.h"

namespace gyre::reason {
namespace {

// Tuned on openb's default, gpushare100, gpuspec33 and multigpu20, seeds 1 to 3; reported on
// others.
constexpr std::int64_t kOpenMilli = 5;        // of opening an idle node, a device
constexpr std::int64_t kOpenMultiMilli = 60;  // on top, were all demand for several devices
constexpr std::int64_t kPressurePercent = 150;
constexpr std::int64_t kPressureMaxPermille = 1500;

constexpr std::size_t kKnownStates = std::size_t{1} << 16;
constexpr std::uint64_t kFuturesSeed = 1;

bool same_devices(const Shape& shape, const Request& request) {
  Request device;
  device.gpus = 1;
  device.gpu_memory = request.gpu_memory;
  device.gpu_models = request.gpu_models;
  return could_run(shape, device);
}

std::int64_t gpu_milli_of(const DemandKind& kind) {
  return kind.tasks * kind.request.gpu_total().value;
}

/// One node's devices while a future is offered to it: how many are free, and the shared ones.
struct Devices {
  std::int32_t whole = 0;
  std::int32_t shared = 0;
  std::array<std::int16_t, kGpusPerNodeMax> left{};
  static constexpr std::uint32_t kNoRoom = 1U << 16;
  static_assert(kGpusPerNodeMax <= 16);

  bool empty() const { return whole == 0 && shared == 0; }

  bool take_share(std::int16_t milli, std::int16_t milli_min) {
    // The least rest, then the lowest index, without a branch: a rest below zero wraps to a large
    // one.
    std::uint32_t tightest = ~0U;
    for (std::int32_t i = 0; i < shared; ++i) {
      const auto after = static_cast<std::uint32_t>(left[static_cast<std::size_t>(i)] - milli);
      tightest = std::min(tightest, std::min(after, kNoRoom) << 4 | static_cast<std::uint32_t>(i));
    }
    auto best = static_cast<std::int32_t>(tightest & 15U);
    if (tightest >= kNoRoom << 4) {
      if (whole == 0) return false;
      --whole;
      best = shared++;
      left[static_cast<std::size_t>(best)] = static_cast<std::int16_t>(kWholeGpu.value);
    }
    std::int16_t& rest = left[static_cast<std::size_t>(best)];
    rest = static_cast<std::int16_t>(rest - milli);
    if (rest < milli_min) rest = left[static_cast<std::size_t>(--shared)];
    return true;
  }
};

}  // namespace

Lookahead::Lookahead() = default;

void Lookahead::learn(const std::vector<DemandKind>& mix) {
  mix_ = mix;
  draws_.clear();
  outlooks_.clear();
  known_.assign(mix.empty() ? 0 : kKnownStates, {});
  std::vector<std::int64_t> up_to;  // tasks of this kind and those before it
  std::int64_t tasks = 0;
  std::int64_t demand = 0;
  std::int64_t multi = 0;
  for (const DemandKind& kind : mix) {
    up_to.push_back(tasks += kind.tasks);
    demand += gpu_milli_of(kind);
    if (kind.request.gpus > 1) multi += gpu_milli_of(kind);
  }
  if (tasks == 0) return mix_.clear();
  open_micro_ =
      kOpenMilli * 1000 + kOpenMultiMilli * 1000 * multi / std::max<std::int64_t>(demand, 1);
  Rng rng(kFuturesSeed);
  for (int i = 0; i < kFutures * kFutureLength; ++i) {
    const auto task = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(tasks)));
    const auto kind = std::upper_bound(up_to.begin(), up_to.end(), task) - up_to.begin();
    draws_.push_back(static_cast<std::uint32_t>(kind));
  }
}

void Lookahead::fleet(const Cluster& cluster) {
  fleet_.clear();
  outlooks_.clear();
  for (std::uint32_t i = 0; i < cluster.shape_count(); ++i)
    fleet_.emplace_back(cluster.shape({i}), 0);
  for (const Node& node : cluster.nodes()) ++fleet_[node.shape.value].second;
}

/// Constrained demand per supply of devices that suit it, were demand as large as the partition.
std::int64_t Lookahead::pressure(const NodeView& node) const {
  std::int64_t demand = 0;
  for (const DemandKind& kind : mix_) demand += gpu_milli_of(kind);
  std::int64_t permille = 0;
  for (const DemandKind& kind : mix_) {
    if (kind.request.gpus == 0 || !same_devices(node.shape, kind.request)) continue;
    std::int64_t all = 0;
    std::int64_t suiting = 0;
    for (const auto& [shape, nodes] : fleet_) {
      if (shape.partition != node.shape.partition) continue;
      all += shape.gpus * nodes;
      if (same_devices(shape, kind.request)) suiting += shape.gpus * nodes;
    }
    if (suiting == all || suiting == 0) continue;  // unconstrained
    permille += gpu_milli_of(kind) * 1000 / demand * all / suiting;
  }
  return std::min(permille, kPressureMaxPermille);
}

const Lookahead::Outlook& Lookahead::outlook(const NodeView& node) {
  if (outlooks_.size() <= node.shape_id.value) outlooks_.resize(node.shape_id.value + 1);
  auto& entry = outlooks_[node.shape_id.value];
  if (entry) return *entry;
  Outlook& outlook = entry.emplace(Outlook{});
  outlook.gpu_milli_min = static_cast<std::int16_t>(kWholeGpu.value);
  for (std::size_t i = 0; i < draws_.size(); ++i) {
    const Request& request = mix_[draws_[i]].request;
    if (request.gpus == 0 || !could_run(node.shape, request)) continue;
    const auto milli = static_cast<std::int16_t>(request.gpu_milli.value);
    outlook.futures[i / kFutureLength].push_back(
        {request.cpu.value, request.cpu.value, request.gpus, milli, milli});
    outlook.gpu_milli_min = std::min(outlook.gpu_milli_min, milli);
  }
  for (auto& future : outlook.futures) {
    for (std::size_t i = future.size(); i-- > 1;) {
      Task& earlier = future[i - 1];
      earlier.cpu_least = std::min(earlier.cpu, future[i].cpu_least);
      earlier.gpu_milli_least = std::min(earlier.gpu_milli, future[i].gpu_milli_least);
    }
  }
  outlook.pressure_permille = pressure(node);
  return outlook;
}

std::int64_t Lookahead::run(const Outlook& outlook, std::int32_t gpus, const Capacity& free) {
  Devices start;
  std::int64_t all = 0;
  for (std::int32_t i = 0; i < gpus; ++i) {
    const std::int16_t left = free.gpu[static_cast<std::size_t>(i)];
    all += left;
    if (left == kWholeGpu.value) {
      ++start.whole;
    } else if (left >= outlook.gpu_milli_min) {
      start.left[static_cast<std::size_t>(start.shared++)] = left;
    }
  }
  std::int64_t lost = all * kFutures;
  for (const auto& future : outlook.futures) {
    Devices devices = start;
    std::int64_t cpu = free.cpu.value;
    auto too_large = static_cast<std::int16_t>(kWholeGpu.value + 1);
    for (const Task& task : future) {
      // What is free only shrinks: what no device had room for once, none has later.
      if (task.cpu_least > cpu || task.gpu_milli_least >= too_large) break;
      if (task.cpu > cpu || task.gpu_milli >= too_large) continue;
      if (task.gpu_milli < kWholeGpu.value) {
        if (!devices.take_share(task.gpu_milli, outlook.gpu_milli_min)) {
          too_large = task.gpu_milli;
          continue;
        }
      } else {
        if (task.gpus > devices.whole) {
          if (devices.whole == 0) too_large = std::min(too_large, task.gpu_milli);
          continue;
        }
        devices.whole -= task.gpus;
      }
      cpu -= task.cpu;
      lost -= task.gpus * task.gpu_milli;
      if (devices.empty()) break;
    }
  }
  return lost;
}

/// Mean milli-GPUs left at the end, times kFutures.
std::int64_t Lookahead::waste(const Outlook& outlook, const NodeView& node, const Capacity& free) {
  const State state{node.shape_id, free.cpu, free.gpu};
  std::uint64_t hash = (state.shape.value + 1) * 0x9e3779b97f4a7c15ULL;
  hash =
      (std::rotl(hash, 23) ^ static_cast<std::uint64_t>(state.cpu.value)) * 0x9e3779b97f4a7c15ULL;
  for (std::int32_t i = 0; i < node.shape.gpus; ++i) {
    const auto left = static_cast<std::uint64_t>(state.gpu[static_cast<std::size_t>(i)]);
    hash = (std::rotl(hash, 23) ^ left) * 0x9e3779b97f4a7c15ULL;
  }
  Known& known = known_[(hash >> 32) % kKnownStates];
  if (known.state != state) known = {state, run(outlook, node.shape.gpus, free)};
  return known.waste;
}

Score Lookahead::score(const NodeView& node, const Request& request, std::uint64_t draw) {
  if (mix_.empty()) return BestFit().score(node, request, draw);
  const Outlook& view = outlook(node);
  const std::int64_t before = waste(view, node, node.free);
  const auto growth = [&](std::int16_t device_free) {
    return waste(view, node, take(node.free, node.shape.gpus, request, device_free)) - before;
  };
  std::int64_t least = 0;
  std::int16_t device = 0;
  if (!is_fraction(request)) {
    least = growth(0);
  } else {
    for (std::int32_t i = 0; i < node.shape.gpus; ++i) {
      const std::int16_t left = node.free.gpu[static_cast<std::size_t>(i)];
      if (left < request.gpu_milli.value || left == device) continue;
      const std::int64_t added = growth(left);
      if (device != 0 && added >= least) continue;
      least = added;
      device = left;
    }
  }
  std::int64_t micro = 0;
  const bool idle = node.shape.gpus > 0 && node.free.gpu.front() == kWholeGpu.value;
  if (idle && request.gpus > 0) micro += open_micro_ * node.shape.gpus;
  micro += view.pressure_permille * kPressurePercent * request.gpu_total().value / 100;
  constexpr std::int64_t kQuantum = kQuantumMilli * 1000 * kFutures;
  return {{floor_div(least * 1000 + micro * kFutures + kQuantum / 2, kQuantum), 0, 0}, device};
}

}  // namespace gyre::reason
