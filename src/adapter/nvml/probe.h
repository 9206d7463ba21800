#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "domain/gpu_sample.h"

namespace gyre::nvml {

struct ProbeOptions {
  std::string library = "libnvidia-ml.so.1";
  Duration period = seconds(1);        // between two looks at a device
  Duration slow_period = seconds(10);  // of what changes slowly or costs much: ECC, rows, processes
  Duration call_max = seconds(5);      // a driver call that takes longer is stuck
  std::size_t stuck_max = 8;           // stuck threads that are left behind; then the probe ends
};

using ProbedGpu = GpuReading;

/// Looks at every GPU of this machine at a steady pace, on threads of its own.
///
/// The driver may hang in any call. The one thread that calls it is then left behind (it cannot be
/// ended), the device that the call was about is marked Unknown and skipped, and a new thread looks
/// at the others; when the call does return, the device is looked at again. No call of this class
/// waits for the driver. Thread-safe.
class Probe {
 public:
  /// Called once each period, and soon after a fault, on one thread; must return quickly.
  using Report = std::function<void(const std::vector<ProbedGpu>&)>;

  /// `count`: GPUs of this machine, by find_gpus(). Errors: as Library::load() and NVML's own
  /// start.
  static Result<std::unique_ptr<Probe>> start(const ProbeOptions& options, std::size_t count,
                                              Report report);

  /// Waits for a period's slice at most.
  ~Probe();

 private:
  struct Impl;
  explicit Probe(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gyre::nvml
