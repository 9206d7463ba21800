#include "sim/traces/resample.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace gyre::sim {

Trace resample(const Trace& trace, Duration part, Rng rng) {
  const std::int64_t parts = (trace.jobs.back().submit - Time{}).ns / part.ns + 1;
  const auto begin_of = [&](std::int64_t index) {
    return std::lower_bound(trace.jobs.begin(), trace.jobs.end(), Time{index * part.ns},
                            [](const TraceJob& job, Time at) { return job.submit < at; });
  };
  Trace drawn = trace;
  while (true) {
    drawn.jobs.clear();
    for (std::int64_t place = 0; place < parts; ++place) {
      const auto from = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(parts)));
      const Duration later = part * (place - from);
      for (auto job = begin_of(from); job != begin_of(from + 1); ++job) {
        drawn.jobs.push_back(*job);
        drawn.jobs.back().submit = job->submit + later;
      }
    }
    if (!drawn.jobs.empty()) break;  // parts without a job alone were drawn
  }
  const Duration lead = drawn.jobs.front().submit - Time{};
  for (TraceJob& job : drawn.jobs) job.submit = job.submit - lead;
  return drawn;
}

}  // namespace gyre::sim
