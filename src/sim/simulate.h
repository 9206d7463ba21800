#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "control/journal.h"
#include "domain/policy.h"
#include "domain/queue.h"
#include "sim/report/report.h"
#include "sim/world.h"

namespace gyre::sim {

/// How far a simulation has come; for a progress bar.
struct Progress {
  std::string policy;
  std::size_t policy_index = 0;  // from 0
  std::size_t policy_count = 0;
  std::uint64_t events = 0;     // of this policy's run
  std::uint64_t jobs_done = 0;  // ended or rejected, of this policy's run
  std::uint64_t jobs = 0;
  std::uint64_t node_failures = 0;
};

/// What breaks during a run, beside what the trace says. Without a rate and a trace nothing does.
struct FaultOptions {
  std::optional<Duration> mtbf;   // mean time between failures of one node, exponential
  Duration mttr = seconds(3600);  // mean time to repair of one node, exponential
  std::string trace_path;         // fault trace (JSON), plain or .gz; excludes mtbf
};

/// What the surroundings lend to a simulation, which itself is pure. Each may be empty.
struct Surroundings {
  std::function<void(const Progress&)> progress;  // every few thousand events, and at the end
  std::function<double()> wall_clock_s;           // any monotonic clock, in seconds
  std::function<double()> peak_rss_mib;           // of this process so far
  /// A journal for one policy's run; empty: none is kept.
  std::function<Result<std::unique_ptr<control::Journal>>(const PolicySpec&)> open_journal;
};

/// The inputs of `gyre simulate`.
struct SimulateOptions {
  std::string trace_path;            // a file, plain or .gz; "-": standard input
  std::string nodes;                 // a file or a shape ("32x8:V100"); see sim/traces/fleet.h
  std::string format = "auto";       // auto, openb, philly, csv
  std::vector<PolicySpec> policies;  // at least one; run one after another over the same trace
  std::vector<QueueSpec> queues;     // quotas, parents first; a queue that none names has none
  std::uint64_t seed = 1;
  std::optional<std::uint64_t> limit;    // rows read from the trace at most
  bool skip_bad_rows = false;            // count malformed rows instead of refusing the trace
  bool check = false;                    // verify every invariant after every event
  bool keep_jobs = false;                // keep what output_files() needs; costs 64 bytes a job
  std::uint64_t starts_told_one_in = 0;  // jobs that wait are told when they start; 0: none is
  std::optional<Duration> resample;      // another trace like this one: traces/resample.h
  ExecutionOptions execution;
  FaultOptions faults;
  Surroundings surroundings;
};

/// Whether the options are such that a run can begin, as far as they say it themselves: no file is
/// opened. Errors: Invalid.
Result<void> validate(const SimulateOptions& options);

/// Whether reports can tell the policies apart. Errors: Invalid, none or two of one name.
Result<void> check_policies(const std::vector<PolicySpec>& policies);

/// Replays a trace of jobs on a fleet of nodes under each policy. Two calls with equal inputs give
/// equal reports but for wall_s and peak_rss_mib. Errors: Invalid for a trace, fleet or option that
/// is wrong (with file, line and column), Internal for a broken invariant and for a journal that
/// fails. O(events) steps; memory O(jobs).
Result<SimulationReport> simulate(const SimulateOptions& options);

}  // namespace gyre::sim
