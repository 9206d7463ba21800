// Any bytes as a trace: read or refused, never more. The first byte chooses the format and whether
// bad rows are skipped.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "sim/traces/fleet.h"
#include "sim/traces/trace.h"
#include "sim/workload.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gyre;
  using namespace gyre::sim;
  if (size == 0) return 0;
  constexpr const char* kFormats[] = {"auto", "openb", "philly", "csv"};
  const TraceOptions options{kFormats[data[0] & 3U], std::nullopt, (data[0] & 4U) != 0};
  std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto trace = read_trace(text_source(std::move(text)), "fuzz", options);
  if (!trace) return 0;
  GYRE_ASSERT(!trace->jobs.empty());
  Time last;
  for (const TraceJob& job : trace->jobs) {
    GYRE_ASSERT(job.submit >= last && job.duration.ns >= 0);
    GYRE_ASSERT(job.row < trace->names.size() && job.demand < trace->demands.size());
    last = job.submit;
  }
  static const Fleet fleet = *parse_shape("2x8:V100,1x4:T4");
  const Workload workload = make_workload(*trace, fleet);
  GYRE_ASSERT(workload.gang_of.size() == trace->jobs.size());
  return 0;
}
