#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

/// The part of NVML's C interface that is used (NVML API Reference Guide). It is stable: a change
/// of a function's meaning gets the function a new name with a higher _vN.
namespace gyre::nvml {

extern "C" {
struct NvmlDevice;
struct NvmlEventSet;
struct NvmlGpmSample;
struct NvmlGpuInstance;
struct NvmlComputeInstance;
struct NvmlMemory {  // bytes
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};
struct NvmlUtilization {  // percent
  unsigned gpu;
  unsigned memory;
};
struct NvmlProcess {
  unsigned pid;
  unsigned long long memory;  // bytes; all ones: not known
  unsigned gpu_instance;
  unsigned compute_instance;
};
struct NvmlPci {
  char legacy_id[16];
  unsigned domain, bus, device, device_id, subsystem_id;
  char id[32];
};
struct NvmlFabric {
  unsigned char cluster[16];  // all zero: of no fabric that joins machines
  int status;
  unsigned clique;
  unsigned char state;
};
struct NvmlEvent {
  NvmlDevice* device;
  unsigned long long type;
  unsigned long long data;  // of an Xid event: its number
  unsigned gpu_instance;
  unsigned compute_instance;
};
struct NvmlGpmSupport {
  unsigned version;
  unsigned supported;
};
struct NvmlGpmMetric {
  unsigned id;
  int result;
  double value;
  const char* texts[3];
};
struct NvmlGpmRequest {
  unsigned version;
  unsigned count;
  NvmlGpmSample* first;
  NvmlGpmSample* second;
  NvmlGpmMetric metrics[512];  // the library touches `count` of them, whatever its own maximum
};
struct NvmlGpuInstanceProfile {
  unsigned id, p2p, slices, instances, multiprocessors;
  unsigned copy_engines, decoders, encoders, jpegs, ofas;
  unsigned long long memory_mb;
};
struct NvmlPlacement {  // slices: of memory for a GPU instance, of compute for a compute instance
  unsigned start;
  unsigned size;
};
struct NvmlGpuInstanceInfo {
  NvmlDevice* device;
  unsigned id;  // on the device; given again once it is free
  unsigned profile;
  NvmlPlacement placement;
};
struct NvmlComputeInstanceProfile {
  unsigned id, slices, instances, multiprocessors, shared_engines[5];
};
struct NvmlComputeInstanceInfo {
  NvmlDevice* device;
  NvmlGpuInstance* gpu_instance;
  unsigned id;  // in the GPU instance
  unsigned profile;
  NvmlPlacement placement;
};
}
static_assert(sizeof(NvmlFabric) == 28);
static_assert(sizeof(NvmlGpuInstanceProfile) == 48 && sizeof(NvmlGpuInstanceInfo) == 24);
static_assert(sizeof(NvmlComputeInstanceProfile) == 36 && sizeof(NvmlComputeInstanceInfo) == 32);

inline constexpr int kSuccess = 0;
inline constexpr int kInvalidArgument = 2;
inline constexpr int kNotSupported = 3;
inline constexpr int kNoPermission = 4;
inline constexpr int kNotFound = 6;
inline constexpr int kInsufficientSize = 7;
inline constexpr int kTimeout = 10;
inline constexpr int kGpuIsLost = 15;
inline constexpr int kInUse = 19;
inline constexpr unsigned kTextBytes = 96;  // NVML_DEVICE_NAME_V2_BUFFER_SIZE, ..._UUID_V2_...
inline constexpr unsigned long long kXidEvent = 0x8;
inline constexpr unsigned char kFabricJoined = 3;  // NVML_GPU_FABRIC_STATE_COMPLETED

/// The driver's library, loaded. A function that this driver lacks and that Gyre can do without
/// answers kNotSupported. Calls may block for ever when the driver hangs. Thread-safe, as NVML is.
class Library {
 public:
  /// Errors: Unsupported, there is no such library; Internal, it lacks what Gyre cannot do without.
  static Result<Library> load(const std::string& file);

  tl::unexpected<Error> failed(const std::string& doing, int code) const;

  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  const char* (*error_string)(int) = nullptr;
  int (*count)(unsigned*) = nullptr;
  int (*by_index)(unsigned, NvmlDevice**) = nullptr;
  int (*name)(NvmlDevice*, char*, unsigned) = nullptr;
  int (*uuid)(NvmlDevice*, char*, unsigned) = nullptr;
  int (*memory)(NvmlDevice*, NvmlMemory*) = nullptr;

  int (*driver_version)(char*, unsigned) = nullptr;
  int (*pci)(NvmlDevice*, NvmlPci*) = nullptr;
  int (*compute_capability)(NvmlDevice*, int*, int*) = nullptr;
  int (*mig_mode)(NvmlDevice*, unsigned*, unsigned*) = nullptr;
  int (*utilization)(NvmlDevice*, NvmlUtilization*) = nullptr;
  int (*power)(NvmlDevice*, unsigned*) = nullptr;
  int (*power_limit)(NvmlDevice*, unsigned*) = nullptr;
  int (*energy)(NvmlDevice*, unsigned long long*) = nullptr;
  int (*clock)(NvmlDevice*, int, unsigned*) = nullptr;
  int (*temperature)(NvmlDevice*, int, unsigned*) = nullptr;
  int (*ecc_errors)(NvmlDevice*, int, int, unsigned long long*) = nullptr;
  int (*remapped_rows)(NvmlDevice*, unsigned*, unsigned*, unsigned*, unsigned*) = nullptr;
  int (*throttle_reasons)(NvmlDevice*, unsigned long long*) = nullptr;
  int (*processes)(NvmlDevice*, unsigned*, NvmlProcess*) = nullptr;
  int (*link_state)(NvmlDevice*, unsigned, int*) = nullptr;
  int (*link_remote)(NvmlDevice*, unsigned, NvmlPci*) = nullptr;
  int (*fabric)(NvmlDevice*, NvmlFabric*) = nullptr;
  int (*event_set_create)(NvmlEventSet**) = nullptr;
  int (*event_register)(NvmlDevice*, unsigned long long, NvmlEventSet*) = nullptr;
  int (*event_wait)(NvmlEventSet*, NvmlEvent*, unsigned) = nullptr;
  int (*event_set_free)(NvmlEventSet*) = nullptr;
  int (*gpm_support)(NvmlDevice*, NvmlGpmSupport*) = nullptr;
  int (*gpm_sample_alloc)(NvmlGpmSample**) = nullptr;
  int (*gpm_sample_free)(NvmlGpmSample*) = nullptr;
  int (*gpm_sample_get)(NvmlDevice*, NvmlGpmSample*) = nullptr;
  int (*gpm_metrics_get)(NvmlGpmRequest*) = nullptr;

  int (*minor_number)(NvmlDevice*, unsigned*) = nullptr;
  int (*gpu_instance_profile)(NvmlDevice*, unsigned, NvmlGpuInstanceProfile*) = nullptr;
  int (*gpu_instance_room)(NvmlDevice*, unsigned, unsigned*) = nullptr;
  int (*gpu_instance_places)(NvmlDevice*, unsigned, NvmlPlacement*, unsigned*) = nullptr;
  int (*gpu_instances)(NvmlDevice*, unsigned, NvmlGpuInstance**, unsigned*) = nullptr;
  int (*gpu_instance_info)(NvmlGpuInstance*, NvmlGpuInstanceInfo*) = nullptr;
  int (*create_gpu_instance)(NvmlDevice*, unsigned, NvmlGpuInstance**) = nullptr;
  int (*create_gpu_instance_at)(NvmlDevice*, unsigned, const NvmlPlacement*,
                                NvmlGpuInstance**) = nullptr;
  int (*destroy_gpu_instance)(NvmlGpuInstance*) = nullptr;
  int (*compute_instance_profile)(NvmlGpuInstance*, unsigned, unsigned,
                                  NvmlComputeInstanceProfile*) = nullptr;
  int (*compute_instances)(NvmlGpuInstance*, unsigned, NvmlComputeInstance**, unsigned*) = nullptr;
  int (*compute_instance_info)(NvmlComputeInstance*, NvmlComputeInstanceInfo*) = nullptr;
  int (*create_compute_instance)(NvmlGpuInstance*, unsigned, NvmlComputeInstance**) = nullptr;
  int (*destroy_compute_instance)(NvmlComputeInstance*) = nullptr;
  int (*mig_devices_max)(NvmlDevice*, unsigned*) = nullptr;
  int (*mig_device)(NvmlDevice*, unsigned, NvmlDevice**) = nullptr;
  int (*gpu_instance_id)(NvmlDevice*, unsigned*) = nullptr;
  int (*compute_instance_id)(NvmlDevice*, unsigned*) = nullptr;

 private:
  struct Unload {
    void operator()(void* handle) const;
  };
  template <class Function>
  void need(Function& function, const char* symbol);
  template <class... Args>
  void may(int (*&function)(Args...), const char* symbol);
  void find_mig();

  std::unique_ptr<void, Unload> handle_;
  std::string missing_;  // the first function that it lacks
};

/// The NVLinks of a device that are up: each one's number, and the bus id at its other end.
std::vector<std::pair<unsigned, std::string>> read_links(const Library& nvml, NvmlDevice* device);

}  // namespace gyre::nvml
