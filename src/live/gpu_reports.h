#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "act/agent_protocol.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/event.h"
#include "domain/gpu_sample.h"

namespace gyre::live {

/// Is told what the nodes see of their GPUs and tasks. Thread-safe; returns quickly and does not
/// call the fleet.
class NodeListener {
 public:
  virtual ~NodeListener() = default;
  /// `said_at`, as the samples' times, is by the node's own clock.
  virtual void seen(const std::string& node, Time said_at, const std::vector<GpuReading>& gpus) = 0;
  /// What the tasks have used that run on it: those that are not here do not.
  virtual void used(const std::string& /*node*/, const std::vector<act::TaskUse>& /*tasks*/) {}
  /// A task's first output, before its end is told.
  virtual void spoke(const act::TaskSpoke& /*first*/) {}
  /// Nobody speaks for that node any more.
  virtual void unheard(const std::string& node) = 0;
};

/// So much at once, and then so much each second. Time is that of a clock that is never set.
class Allowance {
 public:
  Allowance(std::int64_t at_once, std::int64_t per_second)
      : most_(seconds(1) * at_once), cost_(seconds(1)), per_second_(per_second), left_(most_) {}

  bool take(Duration now);

 private:
  Duration most_;
  Duration cost_;
  std::int64_t per_second_;
  Duration left_;
  Duration since_{0};
};

/// What one connection tells of its node's GPUs, with what it told before. Not thread-safe.
class GpuReports {
 public:
  static constexpr std::int64_t kReportsAtOnce = 32;
  static constexpr std::int64_t kReportsPerSecond = 4;

  /// `devices`: the Hello's.
  explicit GpuReports(std::vector<std::string> devices) : devices_(std::move(devices)) {}

  /// All its devices. Errors: Invalid, it tells of devices that its Hello has not, or what no
  /// device is like; Unavailable, it tells more often than is listened to.
  Result<std::vector<GpuReading>> take(act::GpusSeen seen, Duration now);

 private:
  Result<void> check(const act::GpusSeen& seen) const;

  std::vector<std::string> devices_;
  std::vector<GpuReading> gpus_;
  Allowance allowance_{kReportsAtOnce, kReportsPerSecond};
};

/// Finds new critical errors in what a node's probe has seen. The probe counts them and keeps the
/// latest: of several between two readings only that one is found. Not thread-safe.
class GpuErrors {
 public:
  static constexpr std::int64_t kErrorsAtOnce = 32;
  static constexpr std::int64_t kErrorsPerSecond = 1;

  /// Devices in the order in which the node offers them. The first reading of a device only says
  /// how many errors there were before. What is over the limits is found with a later reading.
  std::vector<GpuErrorSeen> take(NodeId node, const std::vector<GpuReading>& gpus, Duration now);
  /// Nobody took in what was found last of that device: it is found again with a later reading.
  void forget(std::int32_t device);

 private:
  std::vector<std::optional<std::int64_t>> counted_;  // by device
  Allowance allowance_{kErrorsAtOnce, kErrorsPerSecond};
};

/// Finds devices of a node whose health has become another. Lost, or well, is believed at once;
/// that nobody can tell must be seen twice, one look after the other. Not thread-safe.
class GpuHealths {
 public:
  static constexpr std::int64_t kChangesAtOnce = 64;
  static constexpr std::int64_t kChangesPerSecond = 1;

  /// Devices as above. The first reading of a device tells how it is. What is over the limits, of a
  /// probe that flaps, is found with a later reading.
  std::vector<GpuHealthSeen> take(NodeId node, const std::vector<GpuReading>& gpus, Duration now);
  /// As of errors.
  void forget(std::int32_t device);

 private:
  struct Device {
    std::optional<GpuHealth> told;
    bool doubted = false;  // the look before found it unknown
  };
  std::vector<Device> devices_;
  Allowance allowance_{kChangesAtOnce, kChangesPerSecond};
};

}  // namespace gyre::live
