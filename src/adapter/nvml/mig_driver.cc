#include "adapter/nvml/mig_driver.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <utility>

namespace gyre::nvml {
namespace {

constexpr unsigned kProfilesMax = 32;  // NVML_GPU_INSTANCE_PROFILE_COUNT grows with each driver
constexpr unsigned kListMax = 64;      // instances, or places, of one profile
constexpr unsigned kComputeProfilesMax = 8;  // NVML_COMPUTE_INSTANCE_PROFILE_COUNT

/// NVML_GPU_INSTANCE_PROFILE_..., without the variants for media and graphics.
unsigned profile_index(const MigProfile& profile) {
  constexpr unsigned kOneSliceWithDoubleMemory = 9;  // ..._1_SLICE_REV2
  constexpr unsigned kSevenSlices = 4;
  if (profile.compute == 1 && profile.memory == 2) return kOneSliceWithDoubleMemory;
  if (profile.compute == 7) return kSevenSlices;
  return static_cast<unsigned>(profile.compute) - 1;
}

/// NVML_COMPUTE_INSTANCE_PROFILE_...
unsigned compute_profile_index(const MigProfile& profile) {
  return profile.compute == 7 ? 4 : static_cast<unsigned>(profile.compute) - 1;
}

bool unknown_profile(int code) {
  return code == kInvalidArgument || code == kNotSupported || code == kNotFound;
}

}  // namespace

NvmlPlacement best_place(const std::vector<NvmlPlacement>& places,
                         const std::vector<GpuInstance>& taken) {
  constexpr unsigned kHalf = 4;
  const auto beside = [&](const NvmlPlacement& place) {
    return std::accumulate(taken.begin(), taken.end(), 0U, [&](unsigned sum, const auto& other) {
      return sum + (other.start / kHalf == place.start / kHalf ? other.size : 0);
    });
  };
  return *std::max_element(places.begin(), places.end(),
                           [&](const NvmlPlacement& a, const NvmlPlacement& b) {
                             return std::pair(beside(a), a.start) < std::pair(beside(b), b.start);
                           });
}

Result<std::unique_ptr<MigDriver>> MigDriver::open(const std::string& library) {
  auto nvml = Library::load(library);
  if (!nvml) return tl::unexpected(nvml.error());
  if (const int code = nvml->init(); code != kSuccess) return nvml->failed("start", code);
  return std::unique_ptr<MigDriver>(new MigDriver(std::move(*nvml)));
}

MigDriver::~MigDriver() { nvml_.shutdown(); }

Result<NvmlDevice*> MigDriver::find(const std::string& device) {
  unsigned count = 0;
  if (const int code = nvml_.count(&count); code != kSuccess) {
    return nvml_.failed("count its GPUs", code);
  }
  for (unsigned index = 0; index < count; ++index) {
    NvmlDevice* found = nullptr;
    std::array<char, kTextBytes> uuid{};
    if (nvml_.by_index(index, &found) != kSuccess) continue;
    if (nvml_.uuid(found, uuid.data(), kTextBytes - 1) != kSuccess) continue;
    if (device == uuid.data()) return found;
  }
  return fail(ErrorKind::NotFound, "the NVIDIA driver knows no GPU {}, or has lost it", device);
}

Result<std::vector<GpuInstance>> MigDriver::instances(const std::string& device) {
  const auto gpu = find(device);
  if (!gpu) return tl::unexpected(gpu.error());
  std::vector<GpuInstance> all;
  for (unsigned index = 0; index < kProfilesMax; ++index) {
    NvmlGpuInstanceProfile profile{};
    int code = nvml_.gpu_instance_profile(*gpu, index, &profile);
    if (unknown_profile(code)) continue;
    std::array<NvmlGpuInstance*, kListMax> list{};
    unsigned count = kListMax;
    if (code == kSuccess) code = nvml_.gpu_instances(*gpu, profile.id, list.data(), &count);
    if (code == kNotSupported) continue;
    if (code == kNoPermission) {
      return fail(ErrorKind::Internal,
                  "this user may not make MIG instances: run Gyre as root, or give it the "
                  "capability mig/config (NVIDIA MIG User Guide, \"Device Nodes and "
                  "Capabilities\")");
    }
    if (code != kSuccess) return nvml_.failed("list the MIG instances of GPU " + device, code);
    for (unsigned i = 0; i < std::min(count, kListMax); ++i) {
      NvmlGpuInstanceInfo info{};
      code = nvml_.gpu_instance_info(list[i], &info);
      if (code != kSuccess) return nvml_.failed("describe a MIG instance of GPU " + device, code);
      all.push_back({info.id, info.profile, info.placement.start, info.placement.size,
                     !computing_in(list[i]).empty()});
    }
  }
  const auto by_id = [](const GpuInstance& a, const GpuInstance& b) { return a.id < b.id; };
  std::sort(all.begin(), all.end(), by_id);
  all.erase(std::unique(all.begin(), all.end()), all.end());  // profiles may share a number
  return all;
}

Result<unsigned> MigDriver::profile_id(const std::string& device, const MigProfile& profile) {
  const auto gpu = find(device);
  if (!gpu) return tl::unexpected(gpu.error());
  NvmlGpuInstanceProfile known{};
  const int code = nvml_.gpu_instance_profile(*gpu, profile_index(profile), &known);
  if (code != kSuccess || known.slices != static_cast<unsigned>(profile.compute)) {
    return nvml_.failed(fmt::format("offer the MIG profile {} on GPU {}", profile.name, device),
                        code);
  }
  return known.id;
}

std::vector<NvmlPlacement> MigDriver::free_places(NvmlDevice* device, unsigned profile,
                                                  const std::vector<GpuInstance>& taken) {
  std::vector<NvmlPlacement> places(kListMax);
  unsigned count = kListMax;
  if (nvml_.gpu_instance_places(device, profile, places.data(), &count) != kSuccess) return {};
  places.resize(std::min(count, kListMax));
  std::erase_if(places, [&](const NvmlPlacement& place) {
    return std::any_of(taken.begin(), taken.end(), [&](const GpuInstance& other) {
      return place.start < other.start + other.size && other.start < place.start + place.size;
    });
  });
  return places;
}

Result<GpuInstance> MigDriver::make(const std::string& device, const MigProfile& profile,
                                    unsigned id) {
  const auto gpu = find(device);
  if (!gpu) return tl::unexpected(gpu.error());
  const auto taken = instances(device);
  if (!taken) return tl::unexpected(taken.error());
  unsigned room = 0;
  int code = nvml_.gpu_instance_room(*gpu, id, &room);
  if (code != kSuccess) return nvml_.failed("tell what room is left on GPU " + device, code);
  if (room == 0) {
    return fail(ErrorKind::Unavailable,
                "no room for a MIG instance {} on GPU {}: the slices that are free do not lie "
                "together as it needs them, beside its {} instance{}",
                profile.name, device, taken->size(), taken->size() == 1 ? "" : "s");
  }
  NvmlGpuInstance* made = nullptr;
  code = kNotSupported;
  if (const auto places = free_places(*gpu, id, *taken); !places.empty()) {
    const NvmlPlacement place = best_place(places, *taken);
    code = nvml_.create_gpu_instance_at(*gpu, id, &place, &made);
  }
  if (code == kNotSupported) code = nvml_.create_gpu_instance(*gpu, id, &made);
  NvmlGpuInstanceInfo info{};
  if (code == kSuccess) code = nvml_.gpu_instance_info(made, &info);
  if (code != kSuccess) {
    return nvml_.failed(fmt::format("make a MIG instance {} on GPU {}", profile.name, device),
                        code);
  }
  return GpuInstance{info.id, info.profile, info.placement.start, info.placement.size, false};
}

Result<NvmlGpuInstance*> MigDriver::find(NvmlDevice* device, const GpuInstance& instance) {
  std::array<NvmlGpuInstance*, kListMax> list{};
  unsigned count = kListMax;
  const int code = nvml_.gpu_instances(device, instance.profile, list.data(), &count);
  if (code != kSuccess && code != kNotSupported) {
    return nvml_.failed("list its MIG instances", code);
  }
  for (unsigned i = 0; code == kSuccess && i < std::min(count, kListMax); ++i) {
    NvmlGpuInstanceInfo info{};
    if (nvml_.gpu_instance_info(list[i], &info) != kSuccess) continue;
    if (info.id == instance.id && info.placement.start == instance.start) return list[i];
  }
  return fail(ErrorKind::NotFound, "there is no MIG instance {} any more", instance.id);
}

std::vector<NvmlComputeInstance*> MigDriver::computing_in(NvmlGpuInstance* instance) {
  std::map<unsigned, NvmlComputeInstance*> by_id;  // profiles may share a number
  for (unsigned index = 0; index < kComputeProfilesMax; ++index) {
    NvmlComputeInstanceProfile profile{};
    if (nvml_.compute_instance_profile(instance, index, 0, &profile) != kSuccess) continue;
    std::array<NvmlComputeInstance*, kListMax> list{};
    unsigned count = kListMax;
    if (nvml_.compute_instances(instance, profile.id, list.data(), &count) != kSuccess) continue;
    for (unsigned i = 0; i < std::min(count, kListMax); ++i) {
      NvmlComputeInstanceInfo info{};
      if (nvml_.compute_instance_info(list[i], &info) == kSuccess) by_id.emplace(info.id, list[i]);
    }
  }
  std::vector<NvmlComputeInstance*> all;
  for (const auto& [id, computing] : by_id) all.push_back(computing);
  return all;
}

Result<MigDevice> MigDriver::make_compute(const std::string& device, const GpuInstance& instance,
                                          const MigProfile& profile) {
  const std::string doing =
      fmt::format("make MIG instance {} of GPU {} compute", instance.id, device);
  const auto gpu = find(device);
  if (!gpu) return tl::unexpected(gpu.error());
  const auto whole = find(*gpu, instance);
  if (!whole) return tl::unexpected(whole.error());
  NvmlComputeInstanceProfile known{};
  NvmlComputeInstance* made = nullptr;
  NvmlComputeInstanceInfo info{};
  MigDevice wanted;
  unsigned devices = 0;
  int code = nvml_.compute_instance_profile(*whole, compute_profile_index(profile), 0, &known);
  if (code == kSuccess) code = nvml_.create_compute_instance(*whole, known.id, &made);
  if (code == kSuccess) code = nvml_.compute_instance_info(made, &info);
  if (code == kSuccess) code = nvml_.mig_devices_max(*gpu, &devices);
  if (code != kSuccess) return nvml_.failed(doing, code);
  wanted.gpu_instance = instance.id;
  wanted.compute_instance = info.id;
  nvml_.minor_number(*gpu, &wanted.gpu_minor);
  for (unsigned index = 0; index < devices; ++index) {
    NvmlDevice* mig = nullptr;
    unsigned in = 0;
    unsigned which = 0;
    std::array<char, kTextBytes> uuid{};
    if (nvml_.mig_device(*gpu, index, &mig) != kSuccess) continue;
    if (nvml_.gpu_instance_id(mig, &in) != kSuccess || in != instance.id) continue;
    if (nvml_.compute_instance_id(mig, &which) != kSuccess || which != info.id) continue;
    code = nvml_.uuid(mig, uuid.data(), kTextBytes - 1);
    if (code != kSuccess) return nvml_.failed(doing, code);
    wanted.uuid = uuid.data();
    return wanted;
  }
  return nvml_.failed(doing + ": no MIG device is it", kNotFound);
}

Result<void> MigDriver::destroy(const std::string& device, const GpuInstance& instance) {
  const auto gpu = find(device);
  if (!gpu) return tl::unexpected(gpu.error());
  const auto whole = find(*gpu, instance);
  if (!whole && whole.error().kind == ErrorKind::NotFound) return {};
  if (!whole) return tl::unexpected(whole.error());
  int code = kSuccess;
  for (NvmlComputeInstance* computing : computing_in(*whole)) {
    if (code == kSuccess) code = nvml_.destroy_compute_instance(computing);
  }
  if (code == kSuccess) code = nvml_.destroy_gpu_instance(*whole);
  if (code == kSuccess) return {};
  const std::string what = fmt::format("destroy MIG instance {} of GPU {}", instance.id, device);
  if (code != kInUse) return nvml_.failed(what, code);
  return fail(ErrorKind::Unavailable, "{}: a process still uses it", what);
}

}  // namespace gyre::nvml
