#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "domain/gpu_sample.h"
#include "live/gpu_reports.h"
#include "observe/gpu_history.h"
#include "observe/sample_means.h"

namespace gyre::server {

/// The latest readings of every probed GPU, in memory that is bounded by the number of devices:
/// five minutes of one sample a second each, and means over an hour and a day. Thread-safe.
class GpuWatch final : public live::NodeListener {
 public:
  static constexpr std::size_t kSamplesMax = 300;

  /// What a node's probe has found: the devices that the node offers in the order in which it
  /// offers them, then those that it leaves out.
  void report(const std::string& node, const std::vector<GpuReading>& readings);

  /// A report by a node's own clock, which need not be right.
  void seen(const std::string& node, Time said_at, const std::vector<GpuReading>& gpus) override;
  /// Its devices are of unknown health from now on.
  void unheard(const std::string& node) override;

  /// What a device has done since its probe began.
  struct Usage {
    double seen_seconds = 0;      // for which readings tell how busy it was
    double busy_seconds = 0;      // its activity over that time: half busy for 2 s is 1 s
    bool by_sm = false;           // by the activity of its SMs, else by its driver's "utilisation"
    std::optional<Time> seen_at;  // of the latest reading that told
    std::optional<Time> busy_at;  // when it was last seen busier than kIdlePpm
  };
  static constexpr std::int64_t kIdlePpm = 10'000;  // 1 %

  struct Gpu {
    GpuFacts facts;
    GpuSample latest;
    Usage usage;
    /// Over the last minute, by GpuMetric; absent where nothing was read.
    std::array<std::optional<observe::GpuHistory::Window>, kGpuMetricCount> minute;
  };
  /// nullopt: no probe has reported such a device.
  std::optional<Usage> usage(const std::string& node, int device) const;

  std::vector<Gpu> read(const std::string& node) const;  // empty: no probe has reported

  /// What is kept over time.
  static constexpr std::array kCharted{GpuMetric::Utilisation, GpuMetric::SmActive,
                                       GpuMetric::MemoryUsed, GpuMetric::Power,
                                       GpuMetric::Temperature};
  static constexpr std::array<std::string_view, 3> kWindows{"1h", "24h", "30d"};
  using Series = std::array<observe::GaugeHistory::Series, kCharted.size()>;
  /// Of each device up to `now`; empty: no probe has reported. Requires: window < kWindows.size().
  std::vector<Series> history(const std::string& node, std::size_t window, Time now) const;

  /// How many devices tell how busy they are, and how many of these are busier than kIdlePpm.
  struct Activity {
    std::int64_t read = 0;
    std::int64_t active = 0;
    bool operator==(const Activity&) const = default;
  };
  /// Over the minute before `now`, of devices that are healthy. O(devices).
  Activity activity(Time now) const;

  /// The same by steps up to `now`, all that are kept; nullopt where no device told.
  struct ActivitySeries {
    Time begins_at;
    Duration step;
    std::vector<std::optional<Activity>> steps;
  };
  /// O(devices * steps). Requires: window < kWindows.size().
  ActivitySeries activity(std::size_t window, Time now) const;

  struct Latest {
    std::string node;
    int device = 0;      // as allocations count them
    std::string labels;  // of its samples in /metrics, not closed: {gpu="0",UUID="GPU-5c..."
    GpuHealth health = GpuHealth::Ok;
    std::array<std::optional<std::int64_t>, kGpuMetricCount> values{};
    std::int64_t xids = 0;
    Usage usage;
  };
  std::vector<Latest> read_all() const;  // by node, then device

 private:
  struct Device {
    GpuFacts facts;
    std::string labels;  // by `facts`
    observe::GpuHistory history{kSamplesMax};
    Usage usage;
    std::array<std::vector<observe::SampleMeans>, kWindows.size()> means =
        new_means();  // by kCharted
  };
  static std::array<std::vector<observe::SampleMeans>, kWindows.size()> new_means();
  static void note_means(Device& device, const GpuSample& sample);
  static void note_usage(Device& device, const GpuSample& sample);
  static std::optional<std::int64_t> busy_ppm(const Device& device);

  mutable std::mutex mutex_;
  std::map<std::string, std::vector<Device>> nodes_;
};

}  // namespace gyre::server
