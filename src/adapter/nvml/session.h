#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "adapter/nvml/library.h"
#include "domain/gpu_sample.h"

namespace gyre::nvml {

/// One thread's dealings with the driver. Everything that may block is called by that one thread;
/// others read what it has found, and since when it has been in one call.
class Session {
 public:
  /// `library` is loaded and initialised; devices in `skipped` (by index) are left alone.
  Session(const Library& library, std::vector<bool> skipped);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Works until ask_to_end(): one look at every device each `period`, and Xid events as they come.
  void run(Duration period, Duration slow_period);
  void ask_to_end() { ending_ = true; }
  bool has_ended() const { return ended_; }

  struct Device {
    GpuFacts facts;
    GpuSample sample;
    std::uint64_t looks = 0;  // grows with each new sample
  };
  std::vector<Device> read() const;  // by index

  /// The device that a call has been about for longer than `limit`; -1: none, or none in
  /// particular.
  struct Stuck {
    bool stuck = false;
    int device = -1;
  };
  Stuck stuck(Duration limit) const;

 private:
  struct Gpm {
    NvmlGpmSample* older = nullptr;
    NvmlGpmSample* newer = nullptr;
    bool primed = false;
  };
  struct Work {  // of the one thread
    NvmlDevice* device = nullptr;
    GpuSample sample;
    Gpm gpm;
    bool lost = false;
  };
  class InCall;

  bool open(unsigned index);
  GpuFacts describe(unsigned index, NvmlDevice* device);
  void open_events();
  void open_gpm(unsigned index);
  void look(unsigned index, bool slow);
  void look_quickly(Work& work);
  void look_slowly(Work& work);
  void look_at_sms(Work& work);
  void look_at_processes(Work& work);
  void wait_for_events(std::int64_t until_ns);
  void take(const NvmlEvent& event);
  void publish(unsigned index);
  void close();

  const Library& nvml_;
  const std::vector<bool> skipped_;
  std::vector<Work> work_;
  NvmlEventSet* events_ = nullptr;
  std::map<NvmlDevice*, unsigned> index_of_;  // looked up, never walked
  std::atomic<bool> ending_ = false;
  std::atomic<bool> ended_ = false;
  std::atomic<std::int64_t> in_call_since_ns_ = 0;  // 0: in none
  std::atomic<int> in_call_about_ = -1;
  mutable std::mutex mutex_;
  std::vector<Device> devices_;  // guarded by mutex_
};

/// Nanoseconds of the monotonic clock.
std::int64_t monotonic_ns();

}  // namespace gyre::nvml
