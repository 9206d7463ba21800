#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace gyre {

/// What past runs of jobs that have something in common taught: a histogram of their run times in
/// which old runs fade. See reason/queueing/run_times.h.
struct RunTimeHistory {
  struct Kind {
    std::string name;                    // what they have in common
    JobId batch;                         // the latest one
    Time used_at;                        // the last submission
    std::vector<std::uint32_t> weights;  // by bucket of run time
    bool operator==(const Kind&) const = default;
  };
  struct Batch {
    JobId first;
    std::string kind;
    std::vector<std::uint32_t> weights;
    bool operator==(const Batch&) const = default;
  };

  std::vector<Kind> kinds;     // by name
  std::vector<Batch> batches;  // by first job

  bool operator==(const RunTimeHistory&) const = default;
};

}  // namespace gyre
