#include "apps/gpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adapter/nvml/inventory.h"

namespace gyre::apps {

using cli::give_up;

namespace {

/// The readings in the order in which the node offers the devices, those left out behind them. One
/// that has not told its name yet stands where one is missing.
std::vector<GpuReading> in_order(const std::vector<GpuReading>& readings,
                                 const std::vector<std::string>& offered) {
  std::vector<GpuReading> ordered(offered.size());
  std::vector<bool> taken(offered.size(), false);
  std::vector<GpuReading> others;
  for (const GpuReading& reading : readings) {
    const auto place = std::find(offered.begin(), offered.end(), reading.facts.uuid);
    if (place == offered.end()) {
      others.push_back(reading);
      continue;
    }
    const auto index = static_cast<std::size_t>(place - offered.begin());
    ordered[index] = reading;
    taken[index] = true;
  }
  for (GpuReading& other : others) {
    const auto free = std::find(taken.begin(), taken.end(), false);
    if (!other.facts.uuid.empty() || free == taken.end()) {
      ordered.push_back(std::move(other));
      continue;
    }
    ordered[static_cast<std::size_t>(free - taken.begin())] = std::move(other);
    *free = true;
  }
  return ordered;
}

}  // namespace

cli::Outcome<act::GpuSet> find_gpus(const std::string& virtual_gpus, const Say& say) {
  if (!virtual_gpus.empty()) {
    auto declared = act::parse_virtual_gpus(virtual_gpus);
    if (!declared) return give_up(cli::kUsage, "--virtual-gpus: {}", declared.error().message);
    return std::move(*declared);
  }
  auto found = nvml::find_gpus();
  if (!found) {
    if (found.error().kind != ErrorKind::Unsupported) say("warning: " + found.error().message);
    return act::GpuSet{};
  }
  std::vector<std::string> in_mig_mode;
  for (const act::Gpu& gpu : *found) {
    if (!gpu.mig_mode) continue;
    in_mig_mode.push_back(fmt::format(
        "GPU {} ({}) is not offered: this version does not make MIG instances; leave MIG mode with "
        "nvidia-smi -mig 0",
        gpu.id, gpu.model));
  }
  std::erase_if(*found, [](const act::Gpu& gpu) { return gpu.mig_mode; });
  act::GpuSet set = act::offer(*found, mps::find_control().has_value());
  set.left_out.insert(set.left_out.end(), in_mig_mode.begin(), in_mig_mode.end());
  return set;
}

std::string sharing_text(Sharing sharing) {
  switch (sharing) {
    case Sharing::Mps:
      return "fractions by mps: memory and threads are enforced";
    case Sharing::Mig:
      return "fractions by mig: instances of the hardware's own";
    case Sharing::Timeslice:
      return "fractions by timeslice: nothing holds a task to its share or its memory";
    default:
      return "whole GPUs only";
  }
}

std::unique_ptr<mps::MpsExecutor> hold_shares(const act::GpuSet& gpus, const std::string& state,
                                              act::Executor& inner, const Say& say) {
  const auto control = mps::find_control();
  if (gpus.sharing != Sharing::Mps || !control) return nullptr;
  return std::make_unique<mps::MpsExecutor>(mps::MpsOptions{*control, state + "/mps", say}, inner);
}

std::unique_ptr<nvml::Probe> start_probe(const act::GpuSet& gpus, nvml::Probe::Report report,
                                         const Say& say) {
  if (gpus.is_virtual || gpus.devices.empty()) return nullptr;
  auto probe = nvml::Probe::start(
      {}, gpus.devices.size() + gpus.left_out.size(),
      [offered = gpus.devices, report = std::move(report)](
          const std::vector<GpuReading>& readings) { report(in_order(readings, offered)); });
  if (probe) return std::move(*probe);
  say("warning: the GPUs are not watched: " + probe.error().message);
  return nullptr;
}

}  // namespace gyre::apps
