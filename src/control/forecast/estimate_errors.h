#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "domain/job.h"
#include "domain/job_table.h"

namespace gyre::control {

/// How long jobs held their nodes, beside what their submitters had declared, taught by those that
/// are over. A tenant's own are asked where there are enough, else everyone's; the latest of each.
/// Pure, copyable.
class EstimateErrors {
 public:
  static constexpr std::size_t kRunsMin = 10;  // before they say anything
  static constexpr std::size_t kRunsMax = 200;

  /// O(jobs * log jobs).
  static EstimateErrors of(const JobTable& jobs);

  /// Whether what was declared was off by other amounts from job to job: by a hundredth at least.
  bool vary() const;
  /// Whether enough has been seen for quantiles to say something of such a job.
  bool knows(const JobSpec& spec) const { return runs_for(spec) != nullptr; }
  /// The work that a share of `q`, in [0, 1), of jobs declared like this one do not exceed, given
  /// that they exceed `age`: what a start takes is in it. nullopt: none was so far beyond what was
  /// declared. Requires: knows(spec), which declares a duration.
  std::optional<Duration> quantile(const JobSpec& spec, Duration age, double q) const;

 private:
  struct Run {
    double of_declared = 1;  // what it worked, the start apart
    Duration start{0};
  };
  using Runs = std::vector<Run>;  // by their end

  const Runs* runs_for(const JobSpec& spec) const;

  Runs all_;
  std::map<std::string, Runs> by_tenant_;
};

}  // namespace gyre::control
