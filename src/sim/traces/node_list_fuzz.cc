// Any bytes as a shape and as a node list: read or refused, never more.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "sim/traces/fleet.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gyre::sim;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto shaped = parse_shape(text);
  const auto listed = read_node_list(text_source(text), "fuzz");
  for (const auto* fleet : {&shaped, &listed}) {
    if (!*fleet) continue;
    GYRE_ASSERT(!(*fleet)->nodes.empty() && (*fleet)->nodes.size() <= kNodesMax);
    for (const gyre::NodeSpec& node : (*fleet)->nodes) {
      GYRE_ASSERT(node.gpus >= 0 && node.gpus <= gyre::kGpusPerNodeMax && node.cpu.value >= 0);
    }
  }
  return 0;
}
