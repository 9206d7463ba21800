// The calls of the stand-in driver about MIG instances. These outlive the process, as the driver's
// do: they stand in the file that NVML_STAND_IN names with ".mig" added, and are placed by the
// rules of A100, H100 (eight slices of memory) and A30 (four). Who makes or destroys some beside
// Gyre writes that file: gi DEVICE ID PROFILE START, ci DEVICE GPU_INSTANCE ID NUMBER.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "nvml_stand_in.h"

namespace stand_in {

bool is_part(const void* handle) { return reinterpret_cast<std::uintptr_t>(handle) >> 24 != 0; }

unsigned device_of(const void* handle) {
  return static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(handle) >> 8 & 0xffff);
}

}  // namespace stand_in

namespace {

using stand_in::device_of;
using stand_in::enter;
using stand_in::index_of;
using stand_in::machine;
using stand_in::mutex;

struct MigProfile {
  unsigned index, id, slices, memory, instances;
  std::vector<unsigned> starts;
};
/// By NVML_GPU_INSTANCE_PROFILE_... and the driver's numbers (nvidia-smi mig -lgip, -lgipp).
const std::vector<MigProfile>& profiles_of(unsigned device) {
  static const std::vector<MigProfile> seven{{0, 19, 1, 1, 7, {0, 1, 2, 3, 4, 5, 6}},
                                             {1, 14, 2, 2, 3, {0, 2, 4}},
                                             {2, 9, 3, 4, 2, {0, 4}},
                                             {3, 5, 4, 4, 1, {0}},
                                             {4, 0, 7, 8, 1, {0}},
                                             {7, 20, 1, 1, 1, {0, 1, 2, 3, 4, 5, 6}},
                                             {9, 15, 1, 2, 4, {0, 2, 4, 6}}};
  static const std::vector<MigProfile> four{
      {0, 14, 1, 1, 4, {0, 1, 2, 3}}, {1, 5, 2, 2, 2, {0, 2}}, {3, 0, 4, 4, 1, {0}}};
  return machine.devices[device].name.find("A30") == std::string::npos ? seven : four;
}

/// NVML_COMPUTE_INSTANCE_PROFILE_... of so many slices, which is also the driver's number.
unsigned compute_profile(unsigned slices) { return slices == 7 ? 4 : slices - 1; }

struct GpuPart {
  unsigned device, id, profile, start;
};
struct ComputePart {
  unsigned device, gpu_part, id, number;
};

/// The instances of the whole machine, for as long as this lives; one process at a time.
class Parts {
 public:
  Parts() {
    const char* script = std::getenv("NVML_STAND_IN");
    path_ = script == nullptr ? "" : std::string(script) + ".mig";
    lock_ = open((path_ + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_ >= 0) flock(lock_, LOCK_EX);
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      std::string kind;
      words >> kind;
      GpuPart gpu{};
      ComputePart compute{};
      if (kind == "gi" && words >> gpu.device >> gpu.id >> gpu.profile >> gpu.start) {
        gpus.push_back(gpu);
      }
      if (kind == "ci" &&
          words >> compute.device >> compute.gpu_part >> compute.id >> compute.number) {
        computes.push_back(compute);
      }
      if (kind == "made") words >> made;
    }
  }
  ~Parts() {
    if (lock_ >= 0) close(lock_);
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  void keep() const {
    {
      std::ofstream file(path_ + ".new");
      file << "made " << made << '\n';
      for (const auto& it : gpus) {
        file << "gi " << it.device << ' ' << it.id << ' ' << it.profile << ' ' << it.start << '\n';
      }
      for (const auto& it : computes) {
        file << "ci " << it.device << ' ' << it.gpu_part << ' ' << it.id << ' ' << it.number
             << '\n';
      }
    }
    std::rename((path_ + ".new").c_str(), path_.c_str());
  }
  const GpuPart* gpu(unsigned device, unsigned id) const {
    for (const auto& it : gpus) {
      if (it.device == device && it.id == id) return &it;
    }
    return nullptr;
  }
  const ComputePart* compute_in(unsigned device, unsigned gpu_part) const {
    for (const auto& it : computes) {
      if (it.device == device && it.gpu_part == gpu_part) return &it;
    }
    return nullptr;
  }

  std::vector<GpuPart> gpus;
  std::vector<ComputePart> computes;
  unsigned made = 0;

 private:
  std::string path_;
  int lock_ = -1;
};

/// Handles of parts: what they are, the device, the GPU instance.
enum class Kind : std::uintptr_t { GpuInstance = 1, ComputeInstance = 2, MigDevice = 3 };
void* handle_of(Kind kind, unsigned device, unsigned gpu_part) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(kind) << 24 |
                                 std::uintptr_t{device} << 8 | gpu_part);
}
unsigned gpu_part_of(const void* handle) {
  return static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(handle) & 0xff);
}

/// As enter(), for a device in MIG mode; its code where the script has one for `call`.
int enter_mig(unsigned device, const char* call) {
  if (const int code = enter(device); code != 0) return code;
  const std::lock_guard lock(mutex);
  const auto mode = machine.values.find({device, "mig"});
  if (mode == machine.values.end() || mode->second == 0) return 3;
  const auto fails = machine.mig_fails.find(call);
  return fails == machine.mig_fails.end() ? 0 : fails->second;
}

/// After the effect of `call`.
int leave_mig(const char* call) {
  const std::lock_guard lock(mutex);
  if (machine.mig_kills.count(call) != 0) raise(SIGKILL);
  return 0;
}

const MigProfile* profile_by_id(unsigned device, unsigned id) {
  const std::lock_guard lock(mutex);
  for (const MigProfile& profile : profiles_of(device)) {
    if (profile.id == id) return &profile;
  }
  return nullptr;
}

bool has_room(const Parts& parts, unsigned device, const MigProfile& profile, unsigned start) {
  unsigned slices = profile.slices;
  unsigned alike = 1;
  for (const GpuPart& part : parts.gpus) {
    if (part.device != device) continue;
    const MigProfile& other = *profile_by_id(device, part.profile);
    if (part.start < start + profile.memory && start < part.start + other.memory) return false;
    slices += other.slices;
    if (part.profile == profile.id) ++alike;
  }
  return slices <= 7 && alike <= profile.instances;
}

int make_gpu_part(const void* handle, unsigned id, const std::vector<unsigned>& starts,
                  void** made) {
  const unsigned device = index_of(handle);
  if (const int code = enter_mig(device, "make_gpu"); code != 0) return code;
  const MigProfile* profile = profile_by_id(device, id);
  if (profile == nullptr) return 2;
  Parts parts;
  for (const unsigned start : starts.empty() ? profile->starts : starts) {
    if (!has_room(parts, device, *profile, start)) continue;
    unsigned free_id = 1;
    while (parts.gpu(device, free_id) != nullptr) ++free_id;
    parts.gpus.push_back({device, free_id, id, start});
    ++parts.made;
    parts.keep();
    *made = handle_of(Kind::GpuInstance, device, free_id);
    return leave_mig("make_gpu");
  }
  return 23;  // NVML_ERROR_INSUFFICIENT_RESOURCES
}

}  // namespace

namespace stand_in {

std::string uuid_of_part(const void* handle) {
  const Parts parts;
  const ComputePart* part = parts.compute_in(device_of(handle), gpu_part_of(handle));
  if (part == nullptr) return {};
  char uuid[48];
  std::snprintf(uuid, sizeof(uuid), "MIG-00000000-0000-4000-8000-%012u", part->number);
  return uuid;
}

}  // namespace stand_in

extern "C" {

struct NvmlGpuInstanceProfile {
  unsigned id, p2p, slices, instances, multiprocessors;
  unsigned copy_engines, decoders, encoders, jpegs, ofas;
  unsigned long long memory_mb;
};
struct NvmlPlacement {
  unsigned start, size;
};
struct NvmlGpuInstanceInfo {
  const void* device;
  unsigned id, profile;
  NvmlPlacement placement;
};
struct NvmlComputeInstanceProfile {
  unsigned id, slices, instances, multiprocessors, shared_engines[5];
};
struct NvmlComputeInstanceInfo {
  const void* device;
  const void* gpu_instance;
  unsigned id, profile;
  NvmlPlacement placement;
};

int nvmlDeviceGetMinorNumber(const void* device, unsigned* minor) {
  *minor = index_of(device);
  return enter(index_of(device));
}
int nvmlDeviceGetGpuInstanceProfileInfo(const void* device, unsigned index,
                                        NvmlGpuInstanceProfile* info) {
  if (const int code = enter_mig(index_of(device), "profile"); code != 0) return code;
  const std::lock_guard lock(mutex);
  for (const MigProfile& profile : profiles_of(index_of(device))) {
    if (profile.index != index) continue;
    *info = {profile.id,
             0,
             profile.slices,
             profile.instances,
             profile.slices * 16,
             0,
             0,
             0,
             0,
             0,
             machine.devices[index_of(device)].memory_mib * profile.memory /
                 profiles_of(index_of(device))[profiles_of(index_of(device)).size() == 3 ? 2 : 4]
                     .memory};
    return 0;
  }
  return index < 17 ? 3 : 2;
}
int nvmlDeviceGetGpuInstanceRemainingCapacity(const void* device, unsigned id, unsigned* count) {
  if (const int code = enter_mig(index_of(device), "room"); code != 0) return code;
  const MigProfile* profile = profile_by_id(index_of(device), id);
  if (profile == nullptr) return 2;
  const Parts parts;
  *count = static_cast<unsigned>(std::count_if(
      profile->starts.begin(), profile->starts.end(),
      [&](unsigned start) { return has_room(parts, index_of(device), *profile, start); }));
  return 0;
}
int nvmlDeviceGetGpuInstancePossiblePlacements_v2(const void* device, unsigned id,
                                                  NvmlPlacement* places, unsigned* count) {
  if (const int code = enter_mig(index_of(device), "places"); code != 0) return code;
  const MigProfile* profile = profile_by_id(index_of(device), id);
  if (profile == nullptr) return 2;
  *count = 0;
  for (const unsigned start : profile->starts) places[(*count)++] = {start, profile->memory};
  return 0;
}
int nvmlDeviceCreateGpuInstance(const void* device, unsigned id, void** made) {
  return make_gpu_part(device, id, {}, made);
}
int nvmlDeviceCreateGpuInstanceWithPlacement(const void* device, unsigned id,
                                             const NvmlPlacement* place, void** made) {
  return make_gpu_part(device, id, {place->start}, made);
}
int nvmlDeviceGetGpuInstances(const void* device, unsigned id, void** list, unsigned* count) {
  if (const int code = enter_mig(index_of(device), "list"); code != 0) return code;
  const Parts parts;
  *count = 0;
  for (const GpuPart& part : parts.gpus) {
    if (part.device != index_of(device) || part.profile != id) continue;
    list[(*count)++] = handle_of(Kind::GpuInstance, part.device, part.id);
  }
  return 0;
}
int nvmlGpuInstanceGetInfo(const void* instance, NvmlGpuInstanceInfo* info) {
  const Parts parts;
  const GpuPart* part = parts.gpu(device_of(instance), gpu_part_of(instance));
  if (part == nullptr) return 2;
  const MigProfile* profile = profile_by_id(part->device, part->profile);
  *info = {reinterpret_cast<const void*>(std::uintptr_t{part->device} + 1),
           part->id,
           part->profile,
           {part->start, profile->memory}};
  return 0;
}
int nvmlGpuInstanceDestroy(const void* instance) {
  const unsigned device = device_of(instance);
  if (const int code = enter_mig(device, "end_gpu"); code != 0) return code;
  Parts parts;
  if (parts.gpu(device, gpu_part_of(instance)) == nullptr) return 2;
  if (parts.compute_in(device, gpu_part_of(instance)) != nullptr) return 19;  // NVML_ERROR_IN_USE
  parts.gpus.erase(std::remove_if(parts.gpus.begin(), parts.gpus.end(),
                                  [&](const GpuPart& part) {
                                    return part.device == device &&
                                           part.id == gpu_part_of(instance);
                                  }),
                   parts.gpus.end());
  parts.keep();
  return leave_mig("end_gpu");
}
int nvmlGpuInstanceGetComputeInstanceProfileInfo(const void* instance, unsigned index, unsigned,
                                                 NvmlComputeInstanceProfile* info) {
  const Parts parts;
  const GpuPart* part = parts.gpu(device_of(instance), gpu_part_of(instance));
  if (part == nullptr) return 2;
  const MigProfile* profile = profile_by_id(part->device, part->profile);
  if (index > compute_profile(profile->slices)) return 3;
  *info = {index, profile->slices, 1, profile->slices * 16, {}};
  return 0;
}
int nvmlGpuInstanceGetComputeInstances(const void* instance, unsigned id, void** list,
                                       unsigned* count) {
  const Parts parts;
  const GpuPart* part = parts.gpu(device_of(instance), gpu_part_of(instance));
  if (part == nullptr) return 2;
  const MigProfile* profile = profile_by_id(part->device, part->profile);
  const bool any = parts.compute_in(part->device, part->id) != nullptr;
  *count = any && id == compute_profile(profile->slices) ? 1 : 0;
  if (*count == 1) list[0] = handle_of(Kind::ComputeInstance, part->device, part->id);
  return 0;
}
int nvmlGpuInstanceCreateComputeInstance(const void* instance, unsigned id, void** made) {
  const unsigned device = device_of(instance);
  if (const int code = enter_mig(device, "make_compute"); code != 0) return code;
  Parts parts;
  const GpuPart* part = parts.gpu(device, gpu_part_of(instance));
  if (part == nullptr) return 2;
  if (parts.compute_in(device, part->id) != nullptr) return 23;
  if (id != compute_profile(profile_by_id(device, part->profile)->slices)) return 2;
  parts.computes.push_back({device, part->id, 0, parts.made});
  parts.keep();
  *made = handle_of(Kind::ComputeInstance, device, gpu_part_of(instance));
  return leave_mig("make_compute");
}
int nvmlComputeInstanceGetInfo_v2(const void* instance, NvmlComputeInstanceInfo* info) {
  const Parts parts;
  const ComputePart* part = parts.compute_in(device_of(instance), gpu_part_of(instance));
  if (part == nullptr) return 2;
  *info = {reinterpret_cast<const void*>(std::uintptr_t{part->device} + 1),
           handle_of(Kind::GpuInstance, part->device, part->gpu_part),
           part->id,
           0,
           {0, 1}};
  return 0;
}
int nvmlComputeInstanceDestroy(const void* instance) {
  const unsigned device = device_of(instance);
  if (const int code = enter_mig(device, "end_compute"); code != 0) return code;
  Parts parts;
  if (parts.compute_in(device, gpu_part_of(instance)) == nullptr) return 2;
  parts.computes.erase(std::remove_if(parts.computes.begin(), parts.computes.end(),
                                      [&](const ComputePart& part) {
                                        return part.device == device &&
                                               part.gpu_part == gpu_part_of(instance);
                                      }),
                       parts.computes.end());
  parts.keep();
  return leave_mig("end_compute");
}
int nvmlDeviceGetMaxMigDeviceCount(const void* device, unsigned* count) {
  *count = 7;
  return enter_mig(index_of(device), "devices");
}
/// Where an instance's first slice is its device's index: there are gaps, as there may be in
/// the driver's.
int nvmlDeviceGetMigDeviceHandleByIndex(const void* device, unsigned index, void** found) {
  if (const int code = enter_mig(index_of(device), "device"); code != 0) return code;
  const Parts parts;
  for (const GpuPart& part : parts.gpus) {
    if (part.device != index_of(device) || part.start != index) continue;
    if (parts.compute_in(part.device, part.id) == nullptr) continue;
    *found = handle_of(Kind::MigDevice, part.device, part.id);
    return 0;
  }
  return 6;  // NVML_ERROR_NOT_FOUND
}
int nvmlDeviceGetGpuInstanceId(const void* device, unsigned* id) {
  *id = gpu_part_of(device);
  return stand_in::is_part(device) ? 0 : 2;
}
int nvmlDeviceGetComputeInstanceId(const void* device, unsigned* id) {
  const Parts parts;
  const ComputePart* part = parts.compute_in(device_of(device), gpu_part_of(device));
  if (part == nullptr) return 2;
  *id = part->id;
  return 0;
}

}  // extern "C"
