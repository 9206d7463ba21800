#include "server/api/gpu_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/api/api.h"
#include "server/api/metrics_text.h"

namespace gyre::server {

namespace {

/// Two readings further apart than this say nothing about the time between them.
constexpr Duration kGapMax = seconds(10);

/// A sample is not taken for older than this.
constexpr Duration kAgeMax = seconds(3600);

/// By GpuWatch::kWindows.
constexpr std::array<Duration, GpuWatch::kWindows.size()> kSteps{seconds(10), seconds(240),
                                                                 seconds(7200)};
constexpr std::size_t kStepsMax = 360;

/// As NVIDIA's DCGM exporter has them.
std::string labels_of(const std::string& node, const GpuFacts& facts) {
  std::string written = MetricsText::written({{"gpu", std::to_string(facts.index)},
                                              {"UUID", facts.uuid},
                                              {"pci_bus_id", facts.bus_id},
                                              {"device", fmt::format("nvidia{}", facts.index)},
                                              {"modelName", facts.product},
                                              {"Hostname", node},
                                              {"DCGM_FI_DRIVER_VERSION", facts.driver}});
  written.pop_back();
  return written;
}

/// Of the step that begins at `at`. Series of readings from after their "now" begin later.
std::optional<std::int64_t> mean_of(const observe::GaugeHistory::Series& series, Time at) {
  if (at < series.begins_at) return std::nullopt;
  const auto step = static_cast<std::size_t>((at - series.begins_at).ns / series.step.ns);
  return step < series.means.size() ? series.means[step] : std::nullopt;
}

}  // namespace

std::array<std::vector<observe::SampleMeans>, GpuWatch::kWindows.size()> GpuWatch::new_means() {
  std::array<std::vector<observe::SampleMeans>, kWindows.size()> means;
  for (std::size_t i = 0; i < means.size(); ++i) {
    means[i].assign(kCharted.size(), observe::SampleMeans({kSteps[i], kStepsMax}));
  }
  return means;
}

void GpuWatch::note_means(Device& device, const GpuSample& sample) {
  for (auto& window : device.means) {
    for (std::size_t i = 0; i < kCharted.size(); ++i) {
      if (const auto& value = sample[kCharted[i]]) window[i].add(sample.at, *value);
    }
  }
}

void GpuWatch::note_usage(Device& device, const GpuSample& sample) {
  const auto& sm = sample[GpuMetric::SmActive];
  const auto& percent = sample[GpuMetric::Utilisation];
  if (!sm && !percent) return;
  const auto before = std::exchange(device.usage.seen_at, sample.at);
  const std::int64_t ppm = sm ? *sm : *percent * 10'000;
  device.usage.by_sm = sm.has_value();
  if (ppm > kIdlePpm) device.usage.busy_at = sample.at;
  if (!before || sample.at <= *before || sample.at - *before > kGapMax) return;
  const double passed = (sample.at - *before).seconds();
  device.usage.seen_seconds += passed;
  device.usage.busy_seconds += passed * static_cast<double>(ppm) / 1e6;
}

void GpuWatch::report(const std::string& node, const std::vector<GpuReading>& readings) {
  const std::lock_guard lock(mutex_);
  std::vector<Device>& devices = nodes_[node];
  if (devices.size() != readings.size()) devices.resize(readings.size());
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const GpuReading& reading = readings[i];
    if (devices[i].labels.empty() || devices[i].facts != reading.facts) {
      devices[i].facts = reading.facts;
      devices[i].labels = labels_of(node, reading.facts);
    }
    if (!reading.fresh) continue;
    if (reading.sample.health == GpuHealth::Ok) {
      devices[i].history.add(reading.sample);
      note_usage(devices[i], reading.sample);
      note_means(devices[i], reading.sample);
    } else {
      devices[i].history.mark(reading.sample.at, reading.sample.health);
    }
  }
}

void GpuWatch::seen(const std::string& node, Time said_at, const std::vector<GpuReading>& gpus) {
  const Time now = machine_time();
  std::vector<GpuReading> by_this_clock = gpus;
  for (GpuReading& gpu : by_this_clock) {
    const std::int64_t age = said_at.ns > gpu.sample.at.ns ? said_at.ns - gpu.sample.at.ns : 0;
    gpu.sample.at = now - Duration{std::min(age, kAgeMax.ns)};
  }
  report(node, by_this_clock);
}

void GpuWatch::unheard(const std::string& node) {
  const std::lock_guard lock(mutex_);
  const auto known = nodes_.find(node);
  if (known == nodes_.end()) return;
  for (Device& device : known->second) {
    device.history.mark(device.history.latest().at, GpuHealth::Unknown);
  }
}

std::vector<GpuWatch::Gpu> GpuWatch::read(const std::string& node) const {
  const std::lock_guard lock(mutex_);
  std::vector<Gpu> gpus;
  const auto known = nodes_.find(node);
  if (known == nodes_.end()) return gpus;
  for (const Device& device : known->second) {
    Gpu gpu{device.facts, device.history.latest(), device.usage, {}};
    for (std::size_t i = 0; i < kGpuMetricCount; ++i) {
      gpu.minute[i] = device.history.window(static_cast<GpuMetric>(i), seconds(60));
    }
    gpus.push_back(std::move(gpu));
  }
  return gpus;
}

std::vector<GpuWatch::Series> GpuWatch::history(const std::string& node, std::size_t window,
                                                Time now) const {
  const std::lock_guard lock(mutex_);
  std::vector<Series> all;
  const auto known = nodes_.find(node);
  if (known == nodes_.end()) return all;
  for (const Device& device : known->second) {
    Series& series = all.emplace_back();
    for (std::size_t i = 0; i < kCharted.size(); ++i) series[i] = device.means[window][i].read(now);
  }
  return all;
}

/// Over its last minute; nullopt: it does not tell.
std::optional<std::int64_t> GpuWatch::busy_ppm(const Device& device) {
  if (const auto sm = device.history.window(GpuMetric::SmActive, seconds(60))) return sm->mean;
  const auto percent = device.history.window(GpuMetric::Utilisation, seconds(60));
  return percent ? std::optional(percent->mean * 10'000) : std::nullopt;
}

GpuWatch::Activity GpuWatch::activity(Time now) const {
  const std::lock_guard lock(mutex_);
  Activity sum;
  for (const auto& [node, devices] : nodes_) {
    for (const Device& device : devices) {
      const GpuSample& latest = device.history.latest();
      if (latest.health != GpuHealth::Ok || now - latest.at > seconds(60)) continue;
      const auto ppm = busy_ppm(device);
      if (!ppm) continue;
      ++sum.read;
      if (*ppm > kIdlePpm) ++sum.active;
    }
  }
  return sum;
}

GpuWatch::ActivitySeries GpuWatch::activity(std::size_t window, Time now) const {
  constexpr std::size_t kPercent = 0;
  constexpr std::size_t kSm = 1;
  static_assert(kCharted[kPercent] == GpuMetric::Utilisation &&
                kCharted[kSm] == GpuMetric::SmActive);
  const auto empty = observe::SampleMeans({kSteps[window], kStepsMax}).read(now);
  ActivitySeries sum{empty.begins_at, empty.step, {}};
  sum.steps.resize(empty.means.size());
  const std::lock_guard lock(mutex_);
  for (const auto& [node, devices] : nodes_) {
    for (const Device& device : devices) {
      const auto percent = device.means[window][kPercent].read(now);
      const auto sm = device.means[window][kSm].read(now);
      for (std::size_t i = 0; i < sum.steps.size(); ++i) {
        const Time at = sum.begins_at + sum.step * static_cast<std::int64_t>(i);
        const auto by_sm = mean_of(sm, at);
        const auto by_percent = mean_of(percent, at);
        if (!by_sm && !by_percent) continue;
        const std::int64_t ppm = by_sm ? *by_sm : *by_percent * 10'000;
        Activity& step = sum.steps[i] ? *sum.steps[i] : sum.steps[i].emplace();
        ++step.read;
        if (ppm > kIdlePpm) ++step.active;
      }
    }
  }
  return sum;
}

std::optional<GpuWatch::Usage> GpuWatch::usage(const std::string& node, int device) const {
  const std::lock_guard lock(mutex_);
  const auto known = nodes_.find(node);
  if (known == nodes_.end() || device < 0) return std::nullopt;
  const auto index = static_cast<std::size_t>(device);
  if (index >= known->second.size()) return std::nullopt;
  return known->second[index].usage;
}

std::vector<GpuWatch::Latest> GpuWatch::read_all() const {
  const std::lock_guard lock(mutex_);
  std::vector<Latest> all;
  for (const auto& [node, devices] : nodes_) {
    for (std::size_t i = 0; i < devices.size(); ++i) {
      const GpuSample& latest = devices[i].history.latest();
      all.push_back({node, static_cast<int>(i), devices[i].labels, latest.health, latest.values,
                     latest.xids, devices[i].usage});
    }
  }
  return all;
}

}  // namespace gyre::server
