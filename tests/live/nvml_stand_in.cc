// Stands in for the NVIDIA driver's libnvidia-ml.so.1, on machines without a GPU: NVML's C
// interface over a machine that is made up. What it is like stands in the file that NVML_STAND_IN
// names, which is read anew whenever it has changed; a line each:
//
//   driver 550.54.15
//   device UUID MEMORY_MIB CAPABILITY BUS_ID NAME...    in the order of their indices
//   init_fails CODE
//   fails INDEX CODE                  every call about the device answers so (15: lost)
//   hang INDEX                        every call about it blocks until the line is gone
//   set INDEX FIELD VALUE             util memutil used_mib power_mw limit_mw energy_mj sm_mhz
//   mem_mhz
//                                     celsius sbe dbe rows_c rows_u pending failed throttle mig gpm
//                                     sm_ppm tensor_ppm
//   lacks FIELD                       that reading is not supported, on any device
//   process INDEX PID MEMORY_MIB
//   link INDEX LINK REMOTE_BUS_ID
//   fabric INDEX UUID STATE CLIQUE    UUID: 32 hexadecimal digits; STATE 3: it has joined it
//   xid SERIAL INDEX NUMBER           an Xid event; each serial is given once
//   mig_fails CALL CODE               list room make_gpu make_compute end_compute end_gpu (19: in
//   use) mig_kills CALL                    the process dies in that call, when it has had its
//   effect after SECONDS LINE...             LINE counts from so long after nvmlInit on
//
// Without the variable there are three healthy devices. NVML_LACKS_SYMBOL leaves a function out.
#include "nvml_stand_in.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

using stand_in::Device;
using stand_in::enter;
using stand_in::index_of;
using stand_in::Machine;
using stand_in::machine;
using stand_in::mutex;
using stand_in::Process;
using stand_in::Xid;

namespace {

using Clock = std::chrono::steady_clock;

const char* const kHealthy =
    "device GPU-5c2a0f6e-0000-4000-8000-000000000000 81920 8.0 00000000:1B:00.0 NVIDIA "
    "A100-SXM4-80GB\n"
    "device GPU-5c2a0f6e-0000-4000-8000-000000000001 81559 8.0 00000000:1C:00.0 NVIDIA "
    "A100-SXM4-80GB\n"
    "device GPU-5c2a0f6e-0000-4000-8000-000000000002 15360 7.5 00000000:1D:00.0 Tesla T4\n";

// Guarded by mutex.
int users = 0;  // nvmlInit without nvmlShutdown: NVML counts them
Clock::time_point started;
struct timespec read_at {};
long long read_size = -1;
std::set<long> serials_given;

void read_line(Machine& out, std::istringstream line) {
  std::string word;
  if (!(line >> word) || word[0] == '#') return;
  unsigned index = 0;
  if (word == "after") {
    double seconds = 0;
    line >> seconds;
    out.timed = true;
    if (Clock::now() - started < std::chrono::duration<double>(seconds)) return;
    std::string rest;
    std::getline(line, rest);
    return read_line(out, std::istringstream(rest));
  }
  if (word == "driver") line >> out.driver;
  if (word == "init_fails") line >> out.init_code;
  if (word == "device") {
    Device device;
    char dot = 0;
    line >> device.uuid >> device.memory_mib >> device.major >> dot >> device.minor >> device.bus;
    std::getline(line >> std::ws, device.name);
    out.devices.push_back(device);
  }
  if (word == "fails") {
    line >> index;
    line >> out.fails[index];
  }
  if (word == "hang") {
    line >> index;
    out.hangs.insert(index);
  }
  if (word == "set") {
    std::string field;
    line >> index >> field;
    line >> out.values[{index, field}];
  }
  if (word == "lacks") {
    std::string field;
    line >> field;
    out.lacks.insert(field);
  }
  if (word == "process") {
    Process process{};
    line >> index >> process.pid >> process.memory_mib;
    out.processes[index].push_back(process);
  }
  if (word == "link") {
    unsigned link = 0;
    line >> index >> link;
    line >> out.links[index][link];
  }
  if (word == "fabric") {
    line >> index;
    line >> out.fabrics[index].uuid >> out.fabrics[index].state >> out.fabrics[index].clique;
  }
  if (word == "mig_fails") {
    std::string call;
    line >> call;
    line >> out.mig_fails[call];
  }
  if (word == "mig_kills") {
    std::string call;
    line >> call;
    out.mig_kills.insert(call);
  }
  if (word == "xid") {
    Xid xid{};
    line >> xid.serial >> xid.device >> xid.number;
    out.xids.push_back(xid);
  }
}

/// Requires: mutex held.
void refresh() {
  const char* path = std::getenv("NVML_STAND_IN");
  struct stat now {};
  if (path != nullptr && stat(path, &now) != 0) path = nullptr;
  const bool same = path == nullptr
                        ? read_size == -2
                        : now.st_mtim.tv_sec == read_at.tv_sec &&
                              now.st_mtim.tv_nsec == read_at.tv_nsec && now.st_size == read_size;
  if (same && !machine.timed) return;
  read_at = now.st_mtim;
  read_size = path == nullptr ? -2 : now.st_size;
  std::stringstream text;
  if (path == nullptr) {
    text << kHealthy;
  } else {
    text << std::ifstream(path).rdbuf();
  }
  Machine fresh;
  for (std::string line; std::getline(text, line);) read_line(fresh, std::istringstream(line));
  machine = std::move(fresh);
}

int put(char* text, unsigned size, const std::string& value) {
  const int length = std::snprintf(text, size, "%s", value.c_str());
  return length < static_cast<int>(size) ? 0 : 7;  // NVML_ERROR_INSUFFICIENT_SIZE
}

}  // namespace

namespace stand_in {

std::mutex mutex;
// Never destroyed: a call that hangs outlives main().
Machine& machine = *new Machine;

int enter(unsigned index) {
  for (;;) {
    {
      const std::lock_guard lock(mutex);
      refresh();
      if (users == 0) return 1;                       // NVML_ERROR_UNINITIALIZED
      if (index >= machine.devices.size()) return 2;  // NVML_ERROR_INVALID_ARGUMENT
      const auto fails = machine.fails.find(index);
      if (machine.hangs.count(index) == 0) {
        return fails == machine.fails.end() ? 0 : fails->second;
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace stand_in

namespace {

int read(const void* handle, const std::string& field, long long otherwise, long long& value) {
  const unsigned index = index_of(handle);
  if (const int code = enter(index); code != 0) return code;
  const std::lock_guard lock(mutex);
  if (machine.lacks.count(field) != 0) return 3;  // NVML_ERROR_NOT_SUPPORTED
  const auto known = machine.values.find({index, field});
  value = known == machine.values.end() ? otherwise : known->second;
  return 0;
}

template <class Number>
int number(const void* handle, const char* field, long long otherwise, Number* out) {
  long long value = 0;
  const int code = read(handle, field, otherwise, value);
  if (code == 0) *out = static_cast<Number>(value);
  return code;
}

}  // namespace

extern "C" {

struct NvmlMemory {
  unsigned long long total, free, used;
};
struct NvmlUtilization {
  unsigned gpu, memory;
};
struct NvmlProcess {
  unsigned pid;
  unsigned long long memory;
  unsigned gpu_instance, compute_instance;
};
struct NvmlPci {
  char legacy_id[16];
  unsigned domain, bus, device, device_id, subsystem_id;
  char id[32];
};
struct NvmlFabric {
  unsigned char cluster[16];
  int status;
  unsigned clique;
  unsigned char state;
};
struct NvmlEvent {
  const void* device;
  unsigned long long type, data;
  unsigned gpu_instance, compute_instance;
};
struct NvmlGpmSupport {
  unsigned version, supported;
};
struct NvmlGpmSample {
  long long sm_ppm, tensor_ppm;
};
struct NvmlGpmMetric {
  unsigned id;
  int result;
  double value;
  const char* texts[3];
};
struct NvmlGpmRequest {
  unsigned version, count;
  NvmlGpmSample* first;
  NvmlGpmSample* second;
  NvmlGpmMetric metrics[2];  // `count` of them
};

int nvmlInit_v2() {
  const std::lock_guard lock(mutex);
  started = Clock::now();
  refresh();
  if (machine.init_code == 0) ++users;
  return machine.init_code;
}
int nvmlShutdown() {
  const std::lock_guard lock(mutex);
  --users;
  return 0;
}
const char* nvmlErrorString(int code) {
  return code == 9    ? "Driver Not Loaded"
         : code == 15 ? "GPU is lost"
         : code == 20 ? "Insufficient Memory"
         : code == 23 ? "Insufficient Resources"
                      : "Unknown Error";
}
int nvmlSystemGetDriverVersion(char* text, unsigned size) {
  const std::lock_guard lock(mutex);
  return put(text, size, machine.driver);
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  const std::lock_guard lock(mutex);
  refresh();
  *count = static_cast<unsigned>(machine.devices.size());
  return users > 0 ? 0 : 1;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, const void** device) {
  if (const int code = enter(index); code != 0) return code;
  *device = reinterpret_cast<const void*>(std::uintptr_t{index} + 1);
  return 0;
}
int nvmlDeviceGetName(const void* device, char* text, unsigned size) {
  if (const int code = enter(index_of(device)); code != 0) return code;
  const std::lock_guard lock(mutex);
  return put(text, size, machine.devices[index_of(device)].name);
}
int nvmlDeviceGetUUID(const void* device, char* text, unsigned size) {
  if (stand_in::is_part(device)) {
    if (const int code = enter(stand_in::device_of(device)); code != 0) return code;
    const std::string uuid = stand_in::uuid_of_part(device);
    if (uuid.empty()) return 2;
    return put(text, size, uuid);
  }
  if (const int code = enter(index_of(device)); code != 0) return code;
  const std::lock_guard lock(mutex);
  return put(text, size, machine.devices[index_of(device)].uuid);
}
#ifndef NVML_LACKS_SYMBOL
int nvmlDeviceGetMemoryInfo(const void* device, NvmlMemory* memory) {
  long long used = 0;
  if (const int code = read(device, "used_mib", 0, used); code != 0) return code;
  const std::lock_guard lock(mutex);
  const unsigned long long total = machine.devices[index_of(device)].memory_mib << 20;
  const auto bytes = static_cast<unsigned long long>(used) << 20;
  *memory = {total, total - bytes, bytes};
  return 0;
}
#endif
int nvmlDeviceGetPciInfo_v3(const void* device, NvmlPci* pci) {
  if (const int code = enter(index_of(device)); code != 0) return code;
  const std::lock_guard lock(mutex);
  return put(pci->id, sizeof(pci->id), machine.devices[index_of(device)].bus);
}
int nvmlDeviceGetCudaComputeCapability(const void* device, int* major, int* minor) {
  if (const int code = enter(index_of(device)); code != 0) return code;
  const std::lock_guard lock(mutex);
  *major = machine.devices[index_of(device)].major;
  *minor = machine.devices[index_of(device)].minor;
  return 0;
}
int nvmlDeviceGetMigMode(const void* device, unsigned* current, unsigned* pending) {
  const int code = number(device, "mig", 0, current);
  *pending = *current;
  return code;
}
int nvmlDeviceGetUtilizationRates(const void* device, NvmlUtilization* use) {
  const int code = number(device, "util", 0, &use->gpu);
  return code != 0 ? code : number(device, "memutil", 0, &use->memory);
}
int nvmlDeviceGetPowerUsage(const void* device, unsigned* mw) {
  return number(device, "power_mw", 60'000, mw);
}
int nvmlDeviceGetEnforcedPowerLimit(const void* device, unsigned* mw) {
  return number(device, "limit_mw", 400'000, mw);
}
int nvmlDeviceGetTotalEnergyConsumption(const void* device, unsigned long long* mj) {
  return number(device, "energy_mj", 1'000, mj);
}
int nvmlDeviceGetClockInfo(const void* device, int which, unsigned* mhz) {
  return which == 2 ? number(device, "mem_mhz", 1'593, mhz) : number(device, "sm_mhz", 1'410, mhz);
}
int nvmlDeviceGetTemperature(const void* device, int, unsigned* celsius) {
  return number(device, "celsius", 35, celsius);
}
int nvmlDeviceGetTotalEccErrors(const void* device, int uncorrected, int, unsigned long long* out) {
  return number(device, uncorrected != 0 ? "dbe" : "sbe", 0, out);
}
int nvmlDeviceGetRemappedRows(const void* device, unsigned* correctable, unsigned* uncorrectable,
                              unsigned* pending, unsigned* failed) {
  int code = number(device, "rows_c", 0, correctable);
  if (code == 0) code = number(device, "rows_u", 0, uncorrectable);
  if (code == 0) code = number(device, "pending", 0, pending);
  return code == 0 ? number(device, "failed", 0, failed) : code;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(const void* device, unsigned long long* reasons) {
  return number(device, "throttle", 1, reasons);
}
int nvmlDeviceGetComputeRunningProcesses_v3(const void* device, unsigned* count,
                                            NvmlProcess* found) {
  if (const int code = enter(index_of(device)); code != 0) return code;
  const std::lock_guard lock(mutex);
  const auto& processes = machine.processes[index_of(device)];
  const bool fits = processes.size() <= *count;
  *count = static_cast<unsigned>(processes.size());
  if (!fits) return 7;
  for (std::size_t i = 0; i < processes.size(); ++i) {
    found[i] = {processes[i].pid, processes[i].memory_mib << 20, 0, 0};
  }
  return 0;
}
int nvmlDeviceGetNvLinkState(const void* device, unsigned link, int* active) {
  if (const int code = enter(index_of(device)); code != 0) return code;
  const std::lock_guard lock(mutex);
  const auto& links = machine.links[index_of(device)];
  if (links.empty()) return 3;
  *active = links.count(link) != 0 ? 1 : 0;
  return 0;
}
int nvmlDeviceGetNvLinkRemotePciInfo_v2(const void* device, unsigned link, NvmlPci* pci) {
  if (const int code = enter(index_of(device)); code != 0) return code;
  const std::lock_guard lock(mutex);
  return put(pci->id, sizeof(pci->id), machine.links[index_of(device)][link]);
}

int nvmlDeviceGetGpuFabricInfo(const void* device, NvmlFabric* fabric) {
  if (const int code = enter(index_of(device)); code != 0) return code;
  const std::lock_guard lock(mutex);
  const auto known = machine.fabrics.find(index_of(device));
  if (known == machine.fabrics.end()) return 3;  // NVML_ERROR_NOT_SUPPORTED
  *fabric = {};
  for (std::size_t i = 0; i < sizeof(fabric->cluster); ++i) {
    const std::string digits = known->second.uuid.substr(2 * i, 2);
    fabric->cluster[i] = static_cast<unsigned char>(std::stoi(digits, nullptr, 16));
  }
  fabric->clique = known->second.clique;
  fabric->state = static_cast<unsigned char>(known->second.state);
  return 0;
}

int nvmlEventSetCreate(void** set) {
  *set = new char;
  return 0;
}
int nvmlEventSetFree(void* set) {
  delete static_cast<char*>(set);
  return 0;
}
int nvmlDeviceRegisterEvents(const void* device, unsigned long long, void*) {
  return enter(index_of(device));
}
int nvmlEventSetWait_v2(void*, NvmlEvent* event, unsigned timeout_ms) {
  const auto until = Clock::now() + std::chrono::milliseconds(timeout_ms);
  for (;;) {
    {
      const std::lock_guard lock(mutex);
      refresh();
      for (const Xid& xid : machine.xids) {
        if (!serials_given.insert(xid.serial).second) continue;
        *event = {reinterpret_cast<const void*>(std::uintptr_t{xid.device} + 1), 0x8, xid.number, 0,
                  0};
        return 0;
      }
    }
    if (Clock::now() >= until) return 10;  // NVML_ERROR_TIMEOUT
    std::this_thread::sleep_until(
        std::min(until, Clock::now() + std::chrono::milliseconds(timeout_ms)));
  }
}

int nvmlGpmQueryDeviceSupport(const void* device, NvmlGpmSupport* support) {
  return number(device, "gpm", 0, &support->supported);
}
int nvmlGpmSampleAlloc(NvmlGpmSample** sample) {
  *sample = new NvmlGpmSample{};
  return 0;
}
int nvmlGpmSampleFree(NvmlGpmSample* sample) {
  delete sample;
  return 0;
}
int nvmlGpmSampleGet(const void* device, NvmlGpmSample* sample) {
  const int code = number(device, "sm_ppm", 0, &sample->sm_ppm);
  return code != 0 ? code : number(device, "tensor_ppm", 0, &sample->tensor_ppm);
}
int nvmlGpmMetricsGet(NvmlGpmRequest* request) {
  if (request->version != 1 || request->count > 2) return 2;
  for (unsigned i = 0; i < request->count; ++i) {
    NvmlGpmMetric& metric = request->metrics[i];
    const bool tensor = metric.id == 5;
    metric.result = metric.id == 2 || tensor ? 0 : 3;
    const auto ppm = tensor ? request->second->tensor_ppm : request->second->sm_ppm;
    metric.value = static_cast<double>(ppm) / 10'000;
  }
  return 0;
}

}  // extern "C"
