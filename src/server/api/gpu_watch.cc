#include "server/api/gpu_watch.h"

namespace gyre::server {

using observe::GpuMetric;

void GpuWatch::report(const std::string& node, const std::vector<observe::GpuReading>& readings) {
  const std::lock_guard lock(mutex_);
  std::vector<Device>& devices = nodes_[node];
  if (devices.size() != readings.size()) devices.resize(readings.size());
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const observe::GpuReading& reading = readings[i];
    devices[i].facts = reading.facts;
    if (!reading.fresh) continue;
    if (reading.sample.health == observe::GpuHealth::Ok) {
      devices[i].history.add(reading.sample);
    } else {
      devices[i].history.mark(reading.sample.at, reading.sample.health);
    }
  }
}

std::vector<GpuWatch::Gpu> GpuWatch::read(const std::string& node) const {
  const std::lock_guard lock(mutex_);
  std::vector<Gpu> gpus;
  const auto known = nodes_.find(node);
  if (known == nodes_.end()) return gpus;
  for (const Device& device : known->second) {
    Gpu gpu{device.facts, device.history.latest(), {}};
    for (std::size_t i = 0; i < observe::kGpuMetricCount; ++i) {
      gpu.minute[i] = device.history.window(static_cast<GpuMetric>(i), seconds(60));
    }
    gpus.push_back(std::move(gpu));
  }
  return gpus;
}

std::vector<GpuWatch::Latest> GpuWatch::read_all() const {
  const std::lock_guard lock(mutex_);
  std::vector<Latest> all;
  for (const auto& [node, devices] : nodes_) {
    for (std::size_t i = 0; i < devices.size(); ++i) {
      all.push_back({node, static_cast<int>(i), devices[i].facts, devices[i].history.latest()});
    }
  }
  return all;
}

}  // namespace gyre::server
