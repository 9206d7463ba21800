// Stands in for the NVIDIA driver's libnvidia-ml.so.1, on machines without a GPU: the same C
// interface over a machine that is made up. NVML_HEALTHY, NVML_INIT_FAILS, NVML_DEVICE_FAILS or
// NVML_LACKS_SYMBOL says how it behaves.
#include <array>
#include <cstdio>

namespace {

struct Device {
  const char* name;
  const char* uuid;
  unsigned long long total;
};

const std::array<Device, 3> kDevices{{
    {"NVIDIA A100-SXM4-80GB", "GPU-5c2a0f6e-0000-4000-8000-000000000000", 85'899'345'920ULL},
    {"NVIDIA A100-SXM4-80GB", "GPU-5c2a0f6e-0000-4000-8000-000000000001", 85'520'809'984ULL},
    {"Tesla T4", "GPU-5c2a0f6e-0000-4000-8000-000000000002", 16'106'127'360ULL},
}};

bool running = false;

int put(char* text, unsigned size, const char* value) {
  const int length = std::snprintf(text, size, "%s", value);
  return length < static_cast<int>(size) ? 0 : 7;  // NVML_ERROR_INSUFFICIENT_SIZE
}

}  // namespace

extern "C" {

struct NvmlMemory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

int nvmlInit_v2() {
#ifdef NVML_INIT_FAILS
  return 9;  // NVML_ERROR_DRIVER_NOT_LOADED
#else
  running = true;
  return 0;
#endif
}

int nvmlShutdown() {
  running = false;
  return 0;
}

const char* nvmlErrorString(int code) {
  return code == 9 ? "Driver Not Loaded" : code == 15 ? "GPU is lost" : "Unknown Error";
}

int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = kDevices.size();
  return running ? 0 : 1;  // NVML_ERROR_UNINITIALIZED
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, const Device** device) {
#ifdef NVML_DEVICE_FAILS
  if (index == 1) return 15;  // NVML_ERROR_GPU_IS_LOST
#endif
  *device = &kDevices.at(index);
  return 0;
}

int nvmlDeviceGetName(const Device* device, char* text, unsigned size) {
  return put(text, size, device->name);
}

int nvmlDeviceGetUUID(const Device* device, char* text, unsigned size) {
  return put(text, size, device->uuid);
}

#ifndef NVML_LACKS_SYMBOL
int nvmlDeviceGetMemoryInfo(const Device* device, NvmlMemory* memory) {
  *memory = {device->total, device->total, 0};
  return 0;
}
#endif

}  // extern "C"
