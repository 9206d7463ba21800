#include "server/lab/bundled_trace.h"

#include <array>

#include "base/assert.h"

namespace gyre::server {
namespace {

constexpr std::array<BundledTrace, 1> kAbout{
    {{"philly-excerpt", "2,400 jobs of a Microsoft GPU cluster in October 2017 (Philly; CC-BY-4.0)",
      "20x8:P100"}}};

std::vector<BundledTrace> join() {
  std::vector<BundledTrace> traces;
  for (const EmbeddedFile& file : trace_files()) {
    for (const BundledTrace& about : kAbout) {
      if (file.path.substr(0, file.path.rfind('.')) != about.name) continue;
      traces.push_back(about);
      traces.back().file = &file;
    }
  }
  GYRE_ASSERT(traces.size() == trace_files().size());
  return traces;
}

}  // namespace

const std::vector<BundledTrace>& bundled_traces() {
  static const std::vector<BundledTrace> traces = join();
  return traces;
}

}  // namespace gyre::server
