#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "observe/gpu_history.h"
#include "observe/gpu_sample.h"

namespace gyre::server {

/// The latest readings of every probed GPU, in memory that is bounded by the number of devices:
/// five minutes of one sample a second each. Thread-safe.
class GpuWatch {
 public:
  static constexpr std::size_t kSamplesMax = 300;

  /// What a node's probe has found: the devices that the node offers in the order in which it
  /// offers them, then those that it leaves out.
  void report(const std::string& node, const std::vector<observe::GpuReading>& readings);

  struct Gpu {
    observe::GpuFacts facts;
    observe::GpuSample latest;
    /// Over the last minute, by GpuMetric; absent where nothing was read.
    std::array<std::optional<observe::GpuHistory::Window>, observe::kGpuMetricCount> minute;
  };
  std::vector<Gpu> read(const std::string& node) const;  // empty: no probe has reported

  struct Latest {
    std::string node;
    int device = 0;  // as allocations count them
    observe::GpuFacts facts;
    observe::GpuSample sample;
  };
  std::vector<Latest> read_all() const;  // by node, then device

 private:
  struct Device {
    observe::GpuFacts facts;
    observe::GpuHistory history{kSamplesMax};
  };
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<Device>> nodes_;
};

}  // namespace gyre::server
