#pragma once

#include "base/rng.h"
#include "base/time.h"
#include "sim/traces/trace.h"

namespace gyre::sim {

/// Another trace like this one: it is cut into parts of `part` each, and as many are drawn with
/// replacement and put one after another (a block bootstrap; Kuensch 1989). What depends on one
/// another within a part stays together. The first job comes at 0 again; there is at least one.
/// Requires: part > 0 and a job. O(jobs).
Trace resample(const Trace& trace, Duration part, Rng rng);

}  // namespace gyre::sim
