#include "apps/gpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adapter/nvml/inventory.h"
#include "adapter/nvml/mig_records.h"
#include "adapter/nvml/mig_survey.h"
#include "domain/mig.h"

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

std::string mig_folder(const std::string& state) { return state + "/mig"; }

/// Why no instances are made on GPUs that are in MIG mode.
std::vector<nvml::MigHindrance> hindrances(const std::vector<act::Gpu>& gpus,
                                           const std::string& records) {
  std::vector<nvml::MigHindrance> all;
  std::vector<std::string> asked;
  for (const act::Gpu& gpu : gpus) {
    if (!gpu.mig_mode) continue;
    if (!mig_profiles(gpu.model, gpu.memory).empty()) {
      asked.push_back(gpu.id);
      continue;
    }
    all.push_back(
        {gpu.id, "its MIG profiles are not known; leave MIG mode with nvidia-smi -mig 0"});
  }
  if (asked.empty()) return all;
  auto found = nvml::survey_mig(asked, records);
  if (found) {
    all.insert(all.end(), found->begin(), found->end());
    return all;
  }
  for (const std::string& device : asked) all.push_back({device, found.error().message});
  return all;
}

}  // namespace

cli::Outcome<act::GpuSet> find_gpus(const std::string& virtual_gpus, const std::string& state,
                                    const Say& say) {
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
  return offer_found(std::move(*found), state);
}

act::GpuSet offer_found(std::vector<act::Gpu> found, const std::string& state) {
  const auto hindered = hindrances(found, mig_folder(state));
  std::vector<std::string> left_out;
  for (const nvml::MigHindrance& one : hindered) {
    const auto gpu = std::find_if(found.begin(), found.end(),
                                  [&](const act::Gpu& other) { return other.id == one.device; });
    left_out.push_back(
        fmt::format("GPU {} ({} in MIG mode) is not offered: {}", one.device, gpu->model, one.why));
    found.erase(gpu);
  }
  act::GpuSet set = act::offer(found, mps::find_control().has_value());
  set.left_out.insert(set.left_out.end(), left_out.begin(), left_out.end());
  return set;
}

std::string sharing_text(Sharing sharing, std::string_view gpu_model, MemoryMib gpu_memory) {
  if (sharing == Sharing::Mps) return "fractions by mps: memory and threads are enforced";
  if (sharing == Sharing::Timeslice) {
    return "fractions by timeslice: nothing holds a task to its share or its memory";
  }
  if (sharing != Sharing::Mig) return "whole GPUs only";
  std::string profiles;
  for (const MigProfile& profile : mig_profiles(gpu_model, gpu_memory)) {
    profiles += fmt::format("{}{} ({})", profiles.empty() ? "" : ", ", profile.name,
                            profile.share.value / 1000.0);
  }
  return "fractions by mig: each task gets an instance of the hardware's own: " + profiles;
}

std::unique_ptr<mps::MpsExecutor> hold_shares(const act::GpuSet& gpus, const std::string& state,
                                              act::Executor& inner, const Say& say) {
  const auto control = mps::find_control();
  if (gpus.sharing != Sharing::Mps || !control) return nullptr;
  return std::make_unique<mps::MpsExecutor>(mps::MpsOptions{*control, state + "/mps", say}, inner);
}

std::unique_ptr<nvml::MigExecutor> make_instances(const act::GpuSet& gpus, const std::string& state,
                                                  act::Executor& inner, const Say& say) {
  const bool cleans_up = !nvml::MigRecords(mig_folder(state)).all().empty();
  if (gpus.sharing != Sharing::Mig && !cleans_up) return nullptr;
  nvml::MigOptions options;
  options.gpu_model = gpus.model;
  options.gpu_memory = gpus.memory;
  options.folder = mig_folder(state);
  options.notice = say;
  return std::make_unique<nvml::MigExecutor>(std::move(options), inner);
}

std::string own_cdi_folder(const std::string& state) { return mig_folder(state) + "/cdi"; }

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
