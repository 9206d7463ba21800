#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "sim/traces/byte_source.h"

namespace gyre::sim {

/// A node goes down or comes back.
struct NodeChange {
  Time at;                 // since the fault trace's own beginning
  std::uint32_t node = 0;  // the n-th node that the trace names
  bool up = false;
};

struct FaultTrace {
  std::vector<NodeChange> changes;  // by time; of one node they alternate, down first
  std::uint32_t nodes = 0;          // that the trace names
  std::uint64_t unmatched = 0;      // ends without a start, ignored
};

/// Reads InfiniteHBD's fault trace: a JSON array of {node_id, event_time (days), event_type
/// (fault_start or fault_end)}. Faults of one node may overlap: it is up when all have ended.
/// Errors: Invalid with the number of the entry; Internal when the bytes cannot be had.
Result<FaultTrace> read_fault_trace(std::unique_ptr<ByteSource> source, const std::string& name);

}  // namespace gyre::sim
