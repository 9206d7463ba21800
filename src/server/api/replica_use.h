#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/controller.h"
#include "server/api/telemetry.h"

namespace gyre::server {

/// How busy the GPUs of services' ready replicas are, over one window after the other; of those
/// that scale by it. A window begins anew when others are ready, and says nothing where more than a
/// tenth of it was not seen on their devices.
class ReplicaUse {
 public:
  /// Looks. On the driver's thread, inside a query of the inbox. O(services and their devices).
  void look(const control::Controller& core, const Telemetry& seen, Time now);

  /// Busy time in millionths of all their GPUs' time, in the last whole window; none where that is
  /// not known. Thread-safe.
  std::optional<std::int64_t> activity(const std::string& service) const;

 private:
  using Replicas = std::vector<std::pair<JobId, std::int32_t>>;  // jobs and their attempts
  struct Window {
    Replicas replicas;
    Time since;
    int devices = 0;
    double seen_s = 0;  // of all devices, before it
    double busy_s = 0;
  };

  static Window window_of(const control::Controller& core, const Service& service,
                          const Telemetry& seen, Time now);
  void close(const std::string& name, const Window& before, const Window& now);

  std::map<std::string, Window> windows_;  // on the driver's thread
  mutable std::mutex mutex_;
  std::map<std::string, std::int64_t> activity_;
};

}  // namespace gyre::server
