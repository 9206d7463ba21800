#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "base/time.h"
#include "domain/job.h"
#include "reason/queueing/estimate.h"

namespace gyre::sim {

/// Mean and percentiles (nearest rank) of a set of spans; all zero for an empty set.
struct Spread {
  std::uint64_t count = 0;
  double mean_s = 0;
  double p50_s = 0;
  double p90_s = 0;
  double p99_s = 0;
};

/// What became of one job; times since the trace's first arrival.
struct JobOutcome {
  std::uint32_t job = 0;  // index into SimulationReport::job_names
  JobState state = JobState::Queued;
  Termination cause = Termination::None;  // of its end
  std::int32_t attempts = 0;
  std::int32_t preemptions = 0;
  Time submitted_at;
  std::optional<Time> started_at;  // when it first ran in full
  std::optional<Time> ended_at;
  GpuMilli gpu;        // of the whole gang
  Duration waited{0};  // in line in all, up to queued_at while it waits
  Time queued_at{};    // when it last came into line
};

/// The cluster at one instant.
struct SeriesPoint {
  Time at;
  std::int64_t gpu_milli_allocated = 0;
  std::int64_t gpu_milli_up = 0;  // of nodes that are up
  std::uint32_t jobs_waiting = 0;
  std::uint32_t jobs_placed = 0;
};

/// How evenly queues were served; see fairness.h.
struct Fairness {
  double rho_max = 0;          // of finish-time fairness, over jobs
  double share_above_one = 0;  // 0..1 of jobs that sharing made later
  double jain = 1;             // 0..1, of the queues' mean min(1, 1/rho)
};

/// What one job was told at its submission, and what came.
struct ToldStart {
  std::uint32_t job = 0;  // index into SimulationReport::job_names
  Time told_at;
  Time earliest;
  Time median;
  Time latest;
  Time started_at;
};

/// Of jobs that had to wait and were told at submission when they would start.
struct StartsTold {
  std::uint64_t asked = 0;
  std::uint64_t known = 0;        // an interval with two ends was told
  std::uint64_t inside = 0;       // of those: started in it
  std::uint64_t early = 0;        // of those: before it
  double width_median_s = 0;      // of the intervals
  std::vector<ToldStart> starts;  // of those known, by when they started; only with keep_jobs
};

/// Jobs that are rejected for one reason.
struct Rejection {
  std::uint64_t jobs = 0;
  std::string example;  // one of them
  std::string reason;
};

/// One policy's run over the trace.
struct PolicyResult {
  std::string policy;
  std::uint64_t jobs = 0;
  std::uint64_t finished = 0;  // every task ended well
  std::uint64_t rejected = 0;  // could never fit on this fleet
  std::uint64_t failed = 0;    // ended in any other way
  std::uint64_t waiting_at_end = 0;
  std::uint64_t placed_at_end = 0;  // still held resources when nothing could happen any more
  double makespan_s = 0;            // first arrival to last end
  Spread wait;                      // submission to first start, of jobs that started
  double longest_wait_s = 0;        // of one job in line in all, those that never started as well
  std::optional<std::uint64_t> starved;  // jobs that waited longer than the policy's starve_after
  Spread jct;                            // submission to end, of jobs that finished
  /// Mean over jobs that finished of JCT over work, neither taken as less than 10 s (Feitelson
  /// 2001).
  double bounded_slowdown_mean = 0;
  std::optional<Fairness> fairness;  // where there are several queues
  double gpu_allocation_mean = 0;    // 0..1 of all GPUs; time-weighted over the makespan
  double gpu_allocation_peak = 0;
  double fragmentation_mean = 0;    // 0..1 of the free GPUs (FGD's fragmentation ratio)
  double fragmented_gpus_mean = 0;  // the same as an amount, over the makespan
  std::uint64_t preemptions = 0;
  double lost_gpu_hours = 0;  // work done again, and restart overhead
  std::uint64_t node_failures = 0;
  /// Since the first arrival, when so many nodes had failed that the run was ended; nullopt: it
  /// came to its own end.
  std::optional<double> cut_short_at_s;
  std::optional<Rejection> rejection;     // the most frequent one
  std::uint64_t events = 0;               // that the core was told
  reason::PredictionFallbacks fallbacks;  // predictions that could not be gone by
  std::optional<StartsTold> starts_told;
  std::optional<double> wall_s;
  std::optional<double> peak_rss_mib;
  std::vector<JobOutcome> outcomes;  // by submission; only with keep_jobs
  std::vector<SeriesPoint> series;   // at most a few thousand points; only with keep_jobs
};

struct TraceSummary {
  std::string name;    // file name without folders
  std::string format;  // openb, philly or csv; or journal: no trace, but a cluster's own record
  std::uint64_t jobs = 0;
  std::uint64_t skipped = 0;  // malformed rows
};

struct FleetSummary {
  std::uint64_t nodes = 0;
  std::uint64_t gpus = 0;
  std::uint64_t partitions = 0;
};

/// How near a simulation comes to what it repeats: jobs that started in both, and those of them
/// whose start is a second off at most.
struct Calibration {
  std::uint64_t jobs = 0;
  std::uint64_t on_time = 0;
  double difference_mean_s = 0;  // of the starts, whichever is the later one
};

struct SimulationReport {
  TraceSummary trace;
  FleetSummary fleet;
  std::uint64_t seed = 0;
  std::vector<std::string> notes;          // what a reader must know to trust the numbers
  std::vector<PolicyResult> results;       // in the order asked for
  std::optional<Calibration> calibration;  // where something that happened is repeated
  std::vector<std::string> job_names;      // by trace order; only with keep_jobs
  std::vector<std::string> queue_names;    // only with keep_jobs
  std::vector<std::uint32_t> job_queues;   // by trace order; only with keep_jobs
};

/// One file of `--out DIR`.
struct OutputFile {
  std::string name;  // without folders
  std::string content;
};

/// One JSON document, ended by a newline. `wall_s` and `peak_rss_mib` are null where they were not
/// measured.
std::string to_json(const SimulationReport& report);

/// A table for people: a row a figure, a column a policy, a unit on every row; then the notes.
std::string to_table(const SimulationReport& report);

/// jobs-POLICY.csv, timeseries-POLICY.csv, summary.json, report.html and its plots as .svg. Equal
/// inputs give equal bytes: nothing measured on the machine is in them. Requires: keep_jobs.
std::vector<OutputFile> output_files(const SimulationReport& report);

}  // namespace gyre::sim
