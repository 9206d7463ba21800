#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "live/inbox.h"
#include "observe/gpu_sample.h"

namespace gyre::live {

/// Tells the core of critical errors that a node's probe has seen. The probe counts them and keeps
/// the latest: of several between two readings only that one is told. Used by one thread; `inbox`
/// outlives it and may be fed by others.
class GpuErrors {
 public:
  GpuErrors(Inbox& inbox, std::string node) : inbox_(inbox), node_(std::move(node)) {}

  /// Devices in the order in which the node offers them. The first reading of a device only says
  /// how many errors there were before.
  void report(const std::vector<observe::GpuReading>& readings);

 private:
  void tell(std::int32_t device, std::int32_t xid);

  Inbox& inbox_;
  std::string node_;
  std::map<std::int32_t, std::int64_t> counted_;  // by device
};

}  // namespace gyre::live
