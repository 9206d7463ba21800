#include "adapter/nvml/session.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <thread>
#include <utility>

namespace gyre::nvml {
namespace {

constexpr unsigned kProcessesMax = 256;
constexpr unsigned kSmUtilisation = 2;          // NVML_GPM_METRIC_SM_UTIL
constexpr unsigned kTensorUtilisation = 5;      // NVML_GPM_METRIC_ANY_TENSOR_UTIL
constexpr std::int64_t kSliceNs = 100'000'000;  // how late an end is noticed

Time wall_clock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return Time{std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()};
}

/// Of a percentage; absent where the device does not measure it.
std::optional<std::int64_t> ppm_of(const NvmlGpmMetric& metric) {
  if (metric.result != kSuccess || !std::isfinite(metric.value)) return std::nullopt;
  return std::llround(metric.value * 10'000);
}

std::int64_t mib(unsigned long long bytes) { return static_cast<std::int64_t>(bytes >> 20); }

}  // namespace

std::int64_t monotonic_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

/// While it lives, the thread is in calls about one device.
class Session::InCall {
 public:
  InCall(Session& session, int device) : session_(session) {
    session_.in_call_about_ = device;
    session_.in_call_since_ns_ = monotonic_ns();
  }
  ~InCall() { session_.in_call_since_ns_ = 0; }
  InCall(const InCall&) = delete;
  InCall& operator=(const InCall&) = delete;

 private:
  Session& session_;
};

Session::Session(const Library& library, std::vector<bool> skipped)
    : nvml_(library),
      skipped_(std::move(skipped)),
      work_(skipped_.size()),
      devices_(skipped_.size()) {}

void Session::run(Duration period, Duration slow_period) {
  const auto count = static_cast<unsigned>(work_.size());
  for (unsigned i = 0; i < count && !ending_; ++i) {
    if (!skipped_[i]) open(i);
  }
  if (!ending_) open_events();
  std::int64_t next = monotonic_ns();
  std::int64_t next_slow = next;
  while (!ending_) {
    const bool slow = monotonic_ns() >= next_slow;
    if (slow) next_slow += slow_period.ns;
    for (unsigned i = 0; i < count && !ending_; ++i) {
      if (!skipped_[i] && work_[i].device != nullptr) look(i, slow);
    }
    next = std::max(next + period.ns, monotonic_ns());
    wait_for_events(next);
  }
  close();
  ended_ = true;
}

bool Session::open(unsigned index) {
  const InCall in_call(*this, static_cast<int>(index));
  Work& work = work_[index];
  const int code = nvml_.by_index(index, &work.device);
  if (code != kSuccess) {
    work.device = nullptr;
    work.sample.at = wall_clock();
    work.sample.health = code == kGpuIsLost ? GpuHealth::Lost : GpuHealth::Unknown;
    publish(index);
    return false;
  }
  index_of_[work.device] = index;
  GpuFacts facts = describe(index, work.device);
  {
    const std::lock_guard lock(mutex_);
    devices_[index].facts = std::move(facts);
  }
  open_gpm(index);
  return true;
}

GpuFacts Session::describe(unsigned index, NvmlDevice* device) {
  GpuFacts facts;
  facts.index = static_cast<std::int32_t>(index);
  std::array<char, kTextBytes> text{};
  if (nvml_.name(device, text.data(), kTextBytes - 1) == kSuccess) facts.product = text.data();
  if (nvml_.uuid(device, text.data(), kTextBytes - 1) == kSuccess) facts.uuid = text.data();
  if (nvml_.driver_version(text.data(), kTextBytes - 1) == kSuccess) facts.driver = text.data();
  NvmlPci pci{};
  if (nvml_.pci(device, &pci) == kSuccess) facts.bus_id = pci.id;
  for (const auto& [link, remote] : read_links(nvml_, device)) {
    facts.links.push_back({static_cast<std::int32_t>(link), remote});
  }
  return facts;
}

void Session::open_gpm(unsigned index) {
  Work& work = work_[index];
  NvmlGpmSupport support{1, 0};
  if (nvml_.gpm_support(work.device, &support) != kSuccess || support.supported == 0) return;
  const bool both = nvml_.gpm_sample_alloc(&work.gpm.older) == kSuccess &&
                    nvml_.gpm_sample_alloc(&work.gpm.newer) == kSuccess;
  if (!both) work.gpm = {};
}

void Session::open_events() {
  const InCall in_call(*this, -1);
  if (nvml_.event_set_create(&events_) != kSuccess) {
    events_ = nullptr;
    return;
  }
  bool any = false;
  for (const Work& work : work_) {
    if (work.device == nullptr) continue;
    any = nvml_.event_register(work.device, kXidEvent, events_) == kSuccess || any;
  }
  if (any) return;
  nvml_.event_set_free(events_);
  events_ = nullptr;
}

void Session::look(unsigned index, bool slow) {
  const InCall in_call(*this, static_cast<int>(index));
  Work& work = work_[index];
  work.sample.at = wall_clock();
  if (!work.lost) look_quickly(work);
  if (!work.lost && slow) look_slowly(work);
  work.sample.health = work.lost ? GpuHealth::Lost : GpuHealth::Ok;
  publish(index);
}

void Session::look_quickly(Work& work) {
  GpuSample& sample = work.sample;
  NvmlDevice* device = work.device;
  NvmlUtilization use{};
  int code = nvml_.utilization(device, &use);
  work.lost = code == kGpuIsLost;
  if (work.lost) return;
  const auto put = [&](GpuMetric metric, int result, std::int64_t value) {
    work.lost = work.lost || result == kGpuIsLost;
    sample[metric] = result == kSuccess ? std::optional(value) : std::nullopt;
  };
  put(GpuMetric::Utilisation, code, use.gpu);
  put(GpuMetric::MemoryUtilisation, code, use.memory);
  NvmlMemory memory{};
  code = nvml_.memory(device, &memory);
  put(GpuMetric::MemoryUsed, code, mib(memory.used));
  put(GpuMetric::MemoryFree, code, mib(memory.free));
  unsigned value = 0;
  code = nvml_.power(device, &value);
  put(GpuMetric::Power, code, value);
  code = nvml_.clock(device, 1, &value);  // NVML_CLOCK_SM
  put(GpuMetric::SmClock, code, value);
  code = nvml_.clock(device, 2, &value);  // NVML_CLOCK_MEM
  put(GpuMetric::MemoryClock, code, value);
  code = nvml_.temperature(device, 0, &value);  // NVML_TEMPERATURE_GPU
  put(GpuMetric::Temperature, code, value);
  unsigned long long reasons = 0;
  code = nvml_.throttle_reasons(device, &reasons);
  put(GpuMetric::ThrottleReasons, code, static_cast<std::int64_t>(reasons));
  look_at_sms(work);
}

void Session::look_at_sms(Work& work) {
  Gpm& gpm = work.gpm;
  if (gpm.newer == nullptr) return;
  std::swap(gpm.older, gpm.newer);
  const bool taken = nvml_.gpm_sample_get(work.device, gpm.newer) == kSuccess;
  if (taken && gpm.primed) {
    NvmlGpmRequest request{};
    request.version = 1;
    request.count = 2;
    request.first = gpm.older;
    request.second = gpm.newer;
    request.metrics[0].id = kSmUtilisation;
    request.metrics[1].id = kTensorUtilisation;
    const bool got = nvml_.gpm_metrics_get(&request) == kSuccess;
    work.sample[GpuMetric::SmActive] = got ? ppm_of(request.metrics[0]) : std::nullopt;
    work.sample[GpuMetric::TensorActive] = got ? ppm_of(request.metrics[1]) : std::nullopt;
  }
  gpm.primed = taken;
}

void Session::look_slowly(Work& work) {
  NvmlDevice* device = work.device;
  const auto put = [&](GpuMetric metric, int result, std::int64_t value) {
    work.sample[metric] = result == kSuccess ? std::optional(value) : std::nullopt;
  };
  unsigned long long count = 0;
  int code = nvml_.ecc_errors(device, 0, 0, &count);  // corrected, volatile
  put(GpuMetric::EccCorrected, code, static_cast<std::int64_t>(count));
  code = nvml_.ecc_errors(device, 1, 0, &count);  // uncorrected, volatile
  put(GpuMetric::EccUncorrected, code, static_cast<std::int64_t>(count));
  code = nvml_.energy(device, &count);
  put(GpuMetric::Energy, code, static_cast<std::int64_t>(count));
  unsigned limit = 0;
  code = nvml_.power_limit(device, &limit);
  put(GpuMetric::PowerLimit, code, limit);
  unsigned correctable = 0;
  unsigned uncorrectable = 0;
  unsigned pending = 0;
  unsigned failed = 0;
  code = nvml_.remapped_rows(device, &correctable, &uncorrectable, &pending, &failed);
  put(GpuMetric::RowsCorrectable, code, correctable);
  put(GpuMetric::RowsUncorrectable, code, uncorrectable);
  put(GpuMetric::RowsPending, code, pending);
  put(GpuMetric::RowsFailed, code, failed);
  look_at_processes(work);
}

void Session::look_at_processes(Work& work) {
  std::array<NvmlProcess, kProcessesMax> found{};
  unsigned count = kProcessesMax;
  work.sample.processes.clear();
  if (nvml_.processes(work.device, &count, found.data()) != kSuccess) return;
  for (unsigned i = 0; i < std::min(count, kProcessesMax); ++i) {
    const bool known = found[i].memory != ~0ULL;
    work.sample.processes.push_back({found[i].pid, MemoryMib{known ? mib(found[i].memory) : 0}});
  }
}

void Session::wait_for_events(std::int64_t until_ns) {
  while (!ending_) {
    const std::int64_t left = std::min(until_ns - monotonic_ns(), kSliceNs);
    if (left <= 0) return;
    if (events_ == nullptr) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(left));
      continue;
    }
    NvmlEvent event{};
    const auto timeout_ms = static_cast<unsigned>(left / 1'000'000 + 1);
    const InCall in_call(*this, -1);
    const int code = nvml_.event_wait(events_, &event, timeout_ms);
    if (code == kSuccess) {
      take(event);
    } else if (code != kTimeout) {  // a lost device makes the set useless
      nvml_.event_set_free(events_);
      events_ = nullptr;
    }
  }
}

void Session::take(const NvmlEvent& event) {
  const auto known = index_of_.find(event.device);
  if (known == index_of_.end() || event.type != kXidEvent) return;
  Work& work = work_[known->second];
  work.sample[GpuMetric::LastXid] = static_cast<std::int64_t>(event.data);
  ++work.sample.xids;
  publish(known->second);
}

void Session::publish(unsigned index) {
  const std::lock_guard lock(mutex_);
  devices_[index].sample = work_[index].sample;
  ++devices_[index].looks;
}

void Session::close() {
  const InCall in_call(*this, -1);
  for (const Work& work : work_) {
    if (work.gpm.older != nullptr) nvml_.gpm_sample_free(work.gpm.older);
    if (work.gpm.newer != nullptr) nvml_.gpm_sample_free(work.gpm.newer);
  }
  if (events_ != nullptr) nvml_.event_set_free(events_);
}

std::vector<Session::Device> Session::read() const {
  const std::lock_guard lock(mutex_);
  return devices_;
}

Session::Stuck Session::stuck(Duration limit) const {
  const std::int64_t since = in_call_since_ns_;
  if (since == 0 || monotonic_ns() - since < limit.ns) return {};
  return {true, in_call_about_};
}

}  // namespace gyre::nvml
