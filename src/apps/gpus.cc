#include "apps/gpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adapter/nvml/inventory.h"

namespace gyre::apps {

using cli::give_up;

namespace {

/// The readings in the order in which the node offers the devices, those left out behind them.
std::vector<observe::GpuReading> in_order(std::vector<observe::GpuReading> readings,
                                          const std::vector<std::string>& offered) {
  const auto place = [&](const observe::GpuReading& reading) {
    return std::find(offered.begin(), offered.end(), reading.facts.uuid) - offered.begin();
  };
  std::stable_sort(readings.begin(), readings.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
  return readings;
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

std::unique_ptr<nvml::Probe> start_probe(const act::GpuSet& gpus, const std::string& node,
                                         server::GpuWatch& watch, live::Inbox& inbox,
                                         const Say& say, std::function<void()> looked) {
  if (gpus.is_virtual || gpus.devices.empty()) return nullptr;
  auto probe = nvml::Probe::start(
      {}, gpus.devices.size() + gpus.left_out.size(),
      [&watch, node, offered = gpus.devices, errors = live::GpuErrors(inbox, node),
       looked = std::move(looked)](const std::vector<observe::GpuReading>& readings) mutable {
        const std::vector<observe::GpuReading> ordered = in_order(readings, offered);
        watch.report(node, ordered);
        errors.report(ordered);
        if (looked) looked();
      });
  if (probe) return std::move(*probe);
  say("warning: the GPUs are not watched: " + probe.error().message);
  return nullptr;
}

}  // namespace gyre::apps
