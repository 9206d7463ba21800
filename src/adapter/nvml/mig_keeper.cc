#include "adapter/nvml/mig_keeper.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>
#include <vector>

#include "adapter/nvml/session.h"

namespace gyre::nvml {

namespace fs = std::filesystem;

Result<MigDriver*> MigKeeper::driver() {
  if (driver_) return driver_.get();
  auto opened = MigDriver::open(options_.library);
  if (!opened) return tl::unexpected(opened.error());
  driver_ = std::move(*opened);
  return driver_.get();
}

void MigKeeper::take_up(const std::set<std::string>& running) {
  for (const std::string& path : records_.damaged()) {
    say(
        fmt::format("warning: {} is no record of a MIG instance: what it stood for is left alone; "
                    "see 'nvidia-smi mig -lgi', and remove the file",
                    path));
  }
  std::vector<std::string> ended;
  for (const auto& [task, record] : records_.all()) {
    if (!running.contains(task)) ended.push_back(task);
  }
  for (const std::string& task : ended) take_back(task);
}

void MigKeeper::take_back(const std::string& task) {
  const auto record = records_.all().find(task);
  if (record == records_.all().end()) return;
  if (cdi_devices_.erase(task) > 0) static_cast<void>(write_cdi());
  const auto gone = destroy(record->second);
  if (gone) {
    records_.remove(task);
    leftovers_.erase(task);
  } else if (leftovers_.insert(task).second) {
    say(fmt::format("warning: the MIG instance of task {} is not destroyed yet: {}", task,
                    gone.error().message));
  }
}

bool MigKeeper::retry() {
  const std::set<std::string> left = leftovers_;
  for (const std::string& task : left) take_back(task);
  return !leftovers_.empty();
}

Result<void> MigKeeper::destroy(const MigRecord& record) {
  if (record.boot != this_boot()) return {};  // the machine's start has destroyed it
  const auto nvml = driver();
  if (!nvml) return tl::unexpected(nvml.error());
  const auto there = (*nvml)->instances(record.device);
  if (!there) return tl::unexpected(there.error());
  for (const GpuInstance& instance : *there) {
    if (!is_of(record, instance)) continue;
    if (records_.owns(record.device, instance, record.task)) continue;
    const auto gone = (*nvml)->destroy(record.device, instance);
    if (!gone) return gone;
  }
  return {};
}

/// Room that ended tasks still hold is waited for: their processes may be on their way out.
Result<GpuInstance> MigKeeper::make_in_time(const MigRecord& record, const MigProfile& profile) {
  const std::int64_t until = monotonic_ns() + options_.room_max.ns;
  for (;;) {
    auto made = (*driver())->make(record.device, profile, record.profile);
    const bool may_come = !made && made.error().kind == ErrorKind::Unavailable && has_leftovers();
    if (!may_come || monotonic_ns() >= until) return made;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    retry();
  }
}

Result<MigDevice> MigKeeper::make(MigRecord& record, const MigProfile& profile) {
  const auto nvml = driver();
  if (!nvml) return tl::unexpected(nvml.error());
  const auto id = (*nvml)->profile_id(record.device, profile);
  if (!id) return tl::unexpected(id.error());
  const auto before = (*nvml)->instances(record.device);
  if (!before) return tl::unexpected(before.error());
  record.profile = *id;
  for (const GpuInstance& instance : *before) record.before.push_back(instance.id);
  if (auto kept = records_.put(record); !kept) return tl::unexpected(kept.error());
  const auto made = make_in_time(record, profile);
  if (!made) return tl::unexpected(made.error());
  record.made = *made;
  if (auto kept = records_.put(record); !kept) return tl::unexpected(kept.error());
  return (*nvml)->make_compute(record.device, *made, profile);
}

Result<void> MigKeeper::give(act::TaskStart& task) {
  const auto* profile = mig_profile(options_.gpu_model, options_.gpu_memory, task.gpu_milli);
  if (profile == nullptr || task.gpu_devices.size() != 1) {
    return fail(ErrorKind::Internal, "a task gets one MIG instance; {} of {} x {} is none",
                task.gpu_milli.value / 1000.0, task.gpu_devices.size(), options_.gpu_model);
  }
  const std::string name = act::to_string(task.key);
  take_back(name);
  if (records_.all().contains(name)) {
    return fail(ErrorKind::Unavailable, "an earlier MIG instance of task {} is still in use", name);
  }
  MigRecord record{name, this_boot(), task.gpu_devices.front(), 0, {}, {}};
  const auto device = make(record, *profile);
  auto given =
      device ? offer_to_container(task, *device) : Result<void>(tl::unexpected(device.error()));
  if (!given) {
    take_back(name);
    return given;
  }
  task.env.emplace_back("CUDA_VISIBLE_DEVICES", device->uuid);
  return {};
}

/// The device node whose holder has a capability.
Result<std::string> MigKeeper::node_of(const MigDevice& device,
                                       const std::string& capability) const {
  const std::string path = fmt::format("{}/gpu{}/mig/gi{}/{}", options_.capabilities,
                                       device.gpu_minor, device.gpu_instance, capability);
  std::ifstream file(path);
  std::string word;
  unsigned minor = 0;
  if (file >> word >> minor && word == "DeviceFileMinor:") {
    return fmt::format("/dev/nvidia-caps/nvidia-cap{}", minor);
  }
  return fail(ErrorKind::Internal,
              "the task's container cannot be given its MIG instance: {} does not say which device "
              "node it is; a task without an image ('image: host') needs none",
              path);
}

Result<void> MigKeeper::offer_to_container(act::TaskStart& task, const MigDevice& device) {
  if (task.container.image.empty()) {
    task.gpu_devices = {device.uuid};
    return {};
  }
  const auto whole = node_of(device, "access");
  if (!whole) return tl::unexpected(whole.error());
  const auto part = node_of(device, fmt::format("ci{}/access", device.compute_instance));
  if (!part) return tl::unexpected(part.error());
  cdi_devices_[act::to_string(task.key)] = fmt::format(
      R"({{"name":"{}","containerEdits":{{"deviceNodes":[{{"path":"{}"}},{{"path":"{}"}}]}}}})",
      device.uuid, *whole, *part);
  task.gpu_devices.push_back(device.uuid);
  return write_cdi();
}

Result<void> MigKeeper::write_cdi() const {
  std::string devices;
  for (const auto& [task, text] : cdi_devices_) devices += (devices.empty() ? "" : ",") + text;
  const std::string folder = options_.folder + "/cdi";
  const std::string path = folder + "/gyre-mig.json";
  std::error_code error;
  fs::create_directories(folder, error);
  std::ofstream file(path + ".new");
  file << fmt::format(R"({{"cdiVersion":"0.5.0","kind":"nvidia.com/gpu","devices":[{}]}})", devices)
       << '\n';
  file.close();
  if (file && std::rename((path + ".new").c_str(), path.c_str()) == 0) return {};
  return fail(ErrorKind::Internal, "cannot write {}", path);
}

}  // namespace gyre::nvml
