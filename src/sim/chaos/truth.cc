#include "sim/chaos/truth.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

namespace gyre::sim {
namespace {

constexpr std::size_t kViolationsMax = 20;
constexpr std::int32_t kCpuPerGpuMilli = 4000;
constexpr std::int64_t kMemoryPerGpuMib = 16 * 1024;
constexpr Duration kServesFor = seconds(10LL * 366 * 86'400);
constexpr SpanRange kCrashesAfter{milliseconds(1), seconds(30)};

JobSpec make_spec(const ChaosSpec::Jobs& jobs, std::int64_t nodes, std::int64_t gpus, Rng& rng) {
  JobSpec spec;
  Request request;
  request.gpus = static_cast<std::int32_t>(gpus);
  // A third of the jobs of one device take a part of it.
  const bool part = gpus == 1 && nodes == 1 && chance(33, rng);
  if (part) request.gpu_milli = GpuMilli{static_cast<std::int32_t>(rng.below(9) + 1) * 100};
  request.cpu = CpuMilli{std::max<std::int64_t>(1, gpus) * kCpuPerGpuMilli};
  request.memory = MemoryMib{std::max<std::int64_t>(1, gpus) * kMemoryPerGpuMib};
  spec.tasks = {{static_cast<std::int32_t>(nodes), request}};
  spec.priority = static_cast<std::int32_t>(rng.below(kPriorityMax + 1));
  spec.preemptible = chance(share(jobs.preemptible_percent), rng);
  const Duration checkpoint = draw(jobs.checkpoint, rng);
  if (checkpoint.ns > 0) spec.checkpoint.interval = checkpoint;
  spec.retry.on_error = chance(50, rng);
  spec.retry.retries_max = static_cast<std::int32_t>(rng.below(20));
  if (spec.retry.retries_max % 2 == 1) spec.retry.on_node_loss = NodeLossAnswer::Task;
  return spec;
}

}  // namespace

bool chance(std::int32_t percent, Rng& rng) {
  return static_cast<std::int32_t>(rng.below(100)) < percent;
}

std::int64_t draw(const CountRange& range, Rng& rng) {
  const auto span = static_cast<std::uint64_t>(range.max - range.min) + 1;
  return range.min + static_cast<std::int64_t>(rng.below(span));
}

Duration draw(const SpanRange& range, Rng& rng) {
  return Duration{draw(CountRange{range.min.ns, range.max.ns}, rng)};
}

std::vector<ChaosJob> make_jobs(const ChaosSpec::Jobs& jobs, Duration lasts, CountRange fleet_nodes,
                                std::int64_t gpus_per_node, Rng rng) {
  std::vector<ChaosJob> made(static_cast<std::size_t>(draw(jobs.count, rng)));
  for (ChaosJob& job : made) {
    job.submit = draw(SpanRange{Duration{0}, lasts}, rng);
    const std::int64_t nodes = std::min(draw(jobs.nodes, rng), fleet_nodes.max);
    const std::int64_t gpus = std::min(draw(jobs.gpus, rng), gpus_per_node);
    job.spec = make_spec(jobs, nodes, gpus, rng);
    // Small jobs are the most: the length is even in its logarithm, roughly.
    const Duration cap = draw(jobs.length, rng);
    job.length = draw(SpanRange{jobs.length.min, cap}, rng);
    const bool estimated = chance(50, rng);
    if (estimated) job.spec.expected_duration = job.length;
    const bool stopped = chance(share(jobs.stop_percent), rng);
    const Duration after = draw(SpanRange{Duration{0}, job.length * 2}, rng);
    if (stopped) job.stop_at = job.submit + after;
  }
  std::stable_sort(made.begin(), made.end(),
                   [](const ChaosJob& a, const ChaosJob& b) { return a.submit < b.submit; });
  for (std::size_t i = 0; i < made.size(); ++i) made[i].spec.name = fmt::format("job-{}", i);
  return made;
}

Truth::Truth(const std::vector<ChaosJob>& jobs, const ChaosSpec& spec, std::uint32_t nodes, Rng rng)
    : jobs_(jobs),
      fail_percent_(share(spec.jobs.fail_percent)),
      rng_(rng),
      warm_up_(spec.services.warm_up),
      saved_(jobs.size()),
      used_(nodes) {}

Truth::Plan Truth::plan(JobId job) {
  if (const auto replica = fate_of_.find(job); replica != fate_of_.end()) {
    return plan(replica->second);
  }
  const std::size_t submission = submission_of_.at(job);
  Plan plan;
  plan.left = std::max(milliseconds(1), jobs_[submission].length - saved_[submission]);
  if (!chance(fail_percent_, rng_)) return plan;
  plan.exit.code = 1;
  plan.left = draw(SpanRange{milliseconds(1), plan.left}, rng_);
  return plan;
}

/// It serves until it is told to go.
Truth::Plan Truth::plan(ReplicaFate fate) {
  Plan plan{kServesFor, {}, draw(warm_up_, rng_)};
  if (fate != ReplicaFate::Good) plan.ready_after = Duration::max();
  if (fate != ReplicaFate::Crashes) return plan;
  plan.exit.code = 1;
  plan.left = draw(kCrashesAfter, rng_);
  return plan;
}

void Truth::begin(const TaskKey& key, std::uint32_t node, const Order& order, Time now) {
  if (++alive_[{key.job, key.rank}] > 1) {
    report(Invariant::TaskOnce, now,
           fmt::format("task {} of job {} runs on node {} (attempt {}) while it runs elsewhere",
                       key.rank, key.job.value, node, key.attempt));
  }
  use_devices(node, order, 1, now);
}

void Truth::end(const TaskKey& key, std::uint32_t node, const Order& order, const TaskExit& exit,
                Duration worked, Time now) {
  const auto alive = alive_.find({key.job, key.rank});
  if (--alive->second == 0) alive_.erase(alive);
  use_devices(node, order, -1, now);
  // One whose node died before it could tell may have been run again.
  if (exit.ok()) good_.insert(key);
  const auto known = submission_of_.find(key.job);
  if (known == submission_of_.end()) return;
  const std::size_t submission = known->second;
  const auto interval = jobs_[submission].spec.checkpoint.interval;
  if (!interval || key.rank != 0) return;
  saved_[submission] = saved_[submission] + *interval * (worked.ns / interval->ns);
}

void Truth::use_devices(std::uint32_t node, const Order& order, int sign, Time now) {
  for (std::size_t i = 0; i < used_[node].size(); ++i) {
    if ((order.devices >> i & 1U) == 0) continue;
    used_[node][i] += sign * order.gpu_milli;
    if (used_[node][i] <= kWholeGpu.value) continue;
    report(Invariant::DeviceShared, now,
           fmt::format("GPU {} of node {} runs tasks with {} thousandths of it", i, node,
                       used_[node][i]));
  }
}

void Truth::succeeded(const Job& job, Time now) {
  std::int32_t good = 0;
  const std::int32_t tasks = task_count(job.spec->tasks);
  for (std::int32_t rank = 0; rank < tasks; ++rank) {
    good += good_.contains({job.id, attempt_of(job, rank), rank}) ? 1 : 0;
  }
  if (good == tasks) return;
  report(Invariant::TrueOutcome, now,
         fmt::format("job {} is called succeeded, but {} of its {} tasks were", job.id.value, good,
                     tasks));
}

void Truth::report(Invariant invariant, Time now, std::string detail) {
  if (violations_.size() < kViolationsMax) {
    violations_.push_back({invariant, now, EventSeq{}, std::move(detail)});
  }
}

}  // namespace gyre::sim
