// Any bytes as a fault trace: read or refused; of one node, changes alternate and begin with down.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/assert.h"
#include "sim/traces/fault_trace.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gyre::sim;
  std::string text(reinterpret_cast<const char*>(data), size);
  const auto trace = read_fault_trace(text_source(std::move(text)), "fuzz");
  if (!trace) return 0;
  std::vector<bool> up(trace->nodes, true);
  gyre::Time last;
  for (const NodeChange& change : trace->changes) {
    GYRE_ASSERT(change.node < trace->nodes && change.at >= last);
    GYRE_ASSERT(up[change.node] != change.up);
    up[change.node] = change.up;
    last = change.at;
  }
  return 0;
}
