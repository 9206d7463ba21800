#include "adapter/nvml/library.h"

#include <dlfcn.h>

namespace gyre::nvml {

void Library::Unload::operator()(void* handle) const { ::dlclose(handle); }

template <class Function>
void Library::need(Function& function, const char* symbol) {
  function = reinterpret_cast<Function>(::dlsym(handle_.get(), symbol));
  if (function == nullptr && missing_.empty()) missing_ = symbol;
}

template <class... Args>
void Library::may(int (*&function)(Args...), const char* symbol) {
  using Function = int (*)(Args...);
  function = reinterpret_cast<Function>(::dlsym(handle_.get(), symbol));
  if (function == nullptr) function = [](Args...) { return kNotSupported; };
}

Result<Library> Library::load(const std::string& file) {
  Library library;
  library.handle_.reset(::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!library.handle_) {
    return fail(ErrorKind::Unsupported,
                "no NVIDIA GPU found: the driver's library cannot be loaded ({})", ::dlerror());
  }
  library.need(library.init, "nvmlInit_v2");
  library.need(library.shutdown, "nvmlShutdown");
  library.need(library.error_string, "nvmlErrorString");
  library.need(library.count, "nvmlDeviceGetCount_v2");
  library.need(library.by_index, "nvmlDeviceGetHandleByIndex_v2");
  library.need(library.name, "nvmlDeviceGetName");
  library.need(library.uuid, "nvmlDeviceGetUUID");
  library.need(library.memory, "nvmlDeviceGetMemoryInfo");
  if (!library.missing_.empty()) {
    return fail(
        ErrorKind::Internal,
        "the NVIDIA driver's library {} lacks {}: it is too old or damaged; update the driver",
        file, library.missing_);
  }
  library.may(library.driver_version, "nvmlSystemGetDriverVersion");
  library.may(library.pci, "nvmlDeviceGetPciInfo_v3");
  library.may(library.compute_capability, "nvmlDeviceGetCudaComputeCapability");
  library.may(library.mig_mode, "nvmlDeviceGetMigMode");
  library.may(library.utilization, "nvmlDeviceGetUtilizationRates");
  library.may(library.power, "nvmlDeviceGetPowerUsage");
  library.may(library.power_limit, "nvmlDeviceGetEnforcedPowerLimit");
  library.may(library.energy, "nvmlDeviceGetTotalEnergyConsumption");
  library.may(library.clock, "nvmlDeviceGetClockInfo");
  library.may(library.temperature, "nvmlDeviceGetTemperature");
  library.may(library.ecc_errors, "nvmlDeviceGetTotalEccErrors");
  library.may(library.remapped_rows, "nvmlDeviceGetRemappedRows");
  library.may(library.throttle_reasons, "nvmlDeviceGetCurrentClocksThrottleReasons");
  library.may(library.processes, "nvmlDeviceGetComputeRunningProcesses_v3");
  library.may(library.link_state, "nvmlDeviceGetNvLinkState");
  library.may(library.link_remote, "nvmlDeviceGetNvLinkRemotePciInfo_v2");
  library.may(library.fabric, "nvmlDeviceGetGpuFabricInfo");
  library.may(library.event_set_create, "nvmlEventSetCreate");
  library.may(library.event_register, "nvmlDeviceRegisterEvents");
  library.may(library.event_wait, "nvmlEventSetWait_v2");
  library.may(library.event_set_free, "nvmlEventSetFree");
  library.may(library.gpm_support, "nvmlGpmQueryDeviceSupport");
  library.may(library.gpm_sample_alloc, "nvmlGpmSampleAlloc");
  library.may(library.gpm_sample_free, "nvmlGpmSampleFree");
  library.may(library.gpm_sample_get, "nvmlGpmSampleGet");
  library.may(library.gpm_metrics_get, "nvmlGpmMetricsGet");
  library.find_mig();
  return library;
}

void Library::find_mig() {
  may(minor_number, "nvmlDeviceGetMinorNumber");
  may(gpu_instance_profile, "nvmlDeviceGetGpuInstanceProfileInfo");
  may(gpu_instance_room, "nvmlDeviceGetGpuInstanceRemainingCapacity");
  may(gpu_instance_places, "nvmlDeviceGetGpuInstancePossiblePlacements_v2");
  may(gpu_instances, "nvmlDeviceGetGpuInstances");
  may(gpu_instance_info, "nvmlGpuInstanceGetInfo");
  may(create_gpu_instance, "nvmlDeviceCreateGpuInstance");
  may(create_gpu_instance_at, "nvmlDeviceCreateGpuInstanceWithPlacement");
  may(destroy_gpu_instance, "nvmlGpuInstanceDestroy");
  may(compute_instance_profile, "nvmlGpuInstanceGetComputeInstanceProfileInfo");
  may(compute_instances, "nvmlGpuInstanceGetComputeInstances");
  may(compute_instance_info, "nvmlComputeInstanceGetInfo_v2");
  may(create_compute_instance, "nvmlGpuInstanceCreateComputeInstance");
  may(destroy_compute_instance, "nvmlComputeInstanceDestroy");
  may(mig_devices_max, "nvmlDeviceGetMaxMigDeviceCount");
  may(mig_device, "nvmlDeviceGetMigDeviceHandleByIndex");
  may(gpu_instance_id, "nvmlDeviceGetGpuInstanceId");
  may(compute_instance_id, "nvmlDeviceGetComputeInstanceId");
}

tl::unexpected<Error> Library::failed(const std::string& doing, int code) const {
  const char* words = error_string(code);
  return fail(ErrorKind::Internal,
              "the NVIDIA driver fails to {}: {} (NVML error {}); see nvidia-smi", doing,
              words == nullptr ? "unknown" : words, code);
}

std::vector<std::pair<unsigned, std::string>> read_links(const Library& nvml, NvmlDevice* device) {
  constexpr unsigned kLinksMax = 18;  // NVML_NVLINK_MAX_LINKS
  std::vector<std::pair<unsigned, std::string>> links;
  for (unsigned link = 0; link < kLinksMax; ++link) {
    int active = 0;
    NvmlPci remote{};
    if (nvml.link_state(device, link, &active) != kSuccess || active == 0) continue;
    if (nvml.link_remote(device, link, &remote) != kSuccess) continue;
    links.emplace_back(link, remote.id);
  }
  return links;
}

}  // namespace gyre::nvml
