#include "apps/burn_in.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "adapter/cuda/gpu_load.h"
#include "adapter/nvml/inventory.h"
#include "adapter/nvml/probe.h"
#include "base/units.h"

namespace gyre::apps {
namespace {

using cli::give_up;

/// What a probe says while the GPUs are watched.
class Watcher {
 public:
  void seen(const std::vector<GpuReading>& gpus) {
    const std::lock_guard guard(mutex_);
    silent_.reset();
    for (std::size_t i = 0; i < gpus.size() && !fault_; ++i) {
      if (gpus[i].sample.health == GpuHealth::Unknown) silent_ = i;
      fault_ = fault_of(i, gpus[i]);
    }
    changed_.notify_all();
  }

  /// What is wrong, if anything was within that time; then all must answer.
  std::optional<std::string> watch(std::chrono::nanoseconds span) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, span, [this] { return fault_.has_value(); });
    changed_.wait_for(lock, kAnswerMax, [this] { return fault_ || !silent_; });
    if (!fault_ && silent_) return fmt::format("GPU {} does not answer", *silent_);
    return fault_;
  }

 private:
  static constexpr std::chrono::seconds kAnswerMax{30};

  static std::optional<std::string> fault_of(std::size_t index, const GpuReading& gpu) {
    const GpuSample& sample = gpu.sample;
    if (sample.health == GpuHealth::Lost) {
      return fmt::format("GPU {} is {}", index, to_string(sample.health));
    }
    if (sample.xids > 0) {
      return fmt::format("GPU {} had an error: Xid {}", index,
                         sample[GpuMetric::LastXid].value_or(0));
    }
    if (sample[GpuMetric::RowsFailed].value_or(0) > 0) {
      return fmt::format("GPU {} could not replace a row of its memory", index);
    }
    if (sample[GpuMetric::RowsPending].value_or(0) > 0) {
      return fmt::format("GPU {} is to replace a row of its memory: it needs a reset", index);
    }
    return std::nullopt;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::size_t> silent_ = 0;  // a GPU that has not answered the last look
  std::optional<std::string> fault_;
};

}  // namespace

cli::Outcome<int> burn_in(const cli::BurnInOptions& options) {
  const auto gpus = nvml::find_gpus();
  if (!gpus && gpus.error().kind != ErrorKind::Unsupported) {
    return give_up(cli::kError, "{}", gpus.error().message);
  }
  const std::size_t found = gpus ? gpus->size() : 0;
  if (found < options.gpus) {
    return give_up(cli::kError, "only {} of {} GPUs are found{}", found, options.gpus,
                   gpus ? "" : ": " + gpus.error().message);
  }
  if (found == 0) {
    fmt::print("passed; nothing was tested: this machine has no GPUs\n");
    return cli::kOk;
  }
  ::setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID", 1);  // "GPU 1" is the same one to NVML
  Watcher watcher;
  auto probe =
      nvml::Probe::start({}, gpus->size(), [&watcher](const auto& seen) { watcher.seen(seen); });
  if (!probe) return give_up(cli::kError, "{}", probe.error().message);
  const auto began = std::chrono::steady_clock::now();
  const auto computed = cuda::load_gpus(options.lasts);
  if (!computed && computed.error().kind != ErrorKind::Unsupported) {
    return give_up(cli::kError, "{}", computed.error().message);
  }
  const std::chrono::nanoseconds left =
      std::chrono::nanoseconds(options.lasts.ns) - (std::chrono::steady_clock::now() - began);
  if (const auto fault = watcher.watch(std::max(left, std::chrono::nanoseconds{0}))) {
    return give_up(cli::kError, "{}", *fault);
  }
  fmt::print("passed: {} GPUs had no error for {}; {}\n", gpus->size(),
             format_duration(options.lasts),
             computed ? *computed : "not tested: computing, " + computed.error().message);
  return cli::kOk;
}

}  // namespace gyre::apps
