#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "control/controller.h"
#include "server/api/telemetry.h"

namespace gyre::server {

/// Looks at what the devices of running jobs do, for the policy about idle ones: over one window
/// after the other, and, once a job has been warned, over its grace. A time of which more than a
/// tenth was not seen on any of a job's devices says nothing. Lives on the driver's thread: call it
/// inside a query of the inbox.
class IdleWatch {
 public:
  /// What the core is to be told at `now`; nothing where that changes nothing. O(jobs).
  std::vector<Event::Body> look(const control::Controller& core, const Telemetry& seen, Time now);

 private:
  using Usages = std::vector<GpuWatch::Usage>;
  struct Watched {
    std::int32_t attempt = 0;
    Time since;
    Usages before;  // of each device at `since`; empty: not known
  };

  static Usages usages_of(const Job& job, const Telemetry& seen);
  static GpuUse use_of(const Job& job, const Watched& watched, const Usages& now, Duration over);

  std::map<JobId, Watched> watched_;
};

}  // namespace gyre::server
