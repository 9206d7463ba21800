#pragma once

#include <optional>

#include "control/controller.h"

namespace gyre::control {

/// What a job is going to cost at present prices.
struct Quote {
  struct Range {
    Money low;
    Money high;  // other than `low` where nodes that may take it cost differently
  };
  Range hour;
  std::optional<Duration> duration;  // of one run to its end; none: nobody knows
  bool declared = false;             // by its submitter; else the median of jobs like it
  std::optional<Range> total;        // with a duration
};

/// nullopt: there are no prices. Where `plan` says the places those count, else all nodes of the
/// queue's partition that may take its tasks. Requires: the queue is there. O(jobs + node shapes).
std::optional<Quote> quote(const Controller& core, const JobSpec& spec, const Plan& plan, Time now);

}  // namespace gyre::control
