#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "control/controller.h"
#include "server/api/json_text.h"

namespace gyre::server {

/// GPUs of a partition that has queues.
struct GuaranteeView {
  std::int64_t gpu_milli_guaranteed = 0;  // to its queues, in sum
  std::int64_t gpu_milli_up = 0;
};
using GuaranteeViews = std::map<std::string, GuaranteeView>;  // by partition

/// Of nodes that are up, by partition.
std::map<std::string, std::int64_t> gpu_milli_up(const Cluster& cluster);
GuaranteeViews view_guarantees(const control::Controller& core);
void write_guarantees(JsonText& out, const GuaranteeViews& views);

}  // namespace gyre::server
