#include "reason/queueing/run_times.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/assert.h"

namespace gyre::reason {
namespace {

constexpr std::uint32_t kRun = 1U << 16;  // one run's weight
constexpr Duration kBatchGap = seconds(60);
/// How fast runs fade: each new one takes 1/2^shift of what is there. By generality.
constexpr std::array<int, 5> kFadeShift{4, 4, 6, 8, 8};
/// Runs' worth of the more general belief that a kind starts with.
constexpr double kPriorRuns = 2;
/// Without any run: log-uniform up to some twelve days.
constexpr std::size_t kGuessedBuckets = 80;

std::size_t bucket_of(Duration span) {
  const auto step = static_cast<std::size_t>(log_step(span.seconds()));
  return std::min(step, RunTimes::kBuckets - 1);
}

double middle(std::size_t bucket) {
  const auto step = static_cast<std::int64_t>(bucket);
  return (log_step_begin(step) + log_step_begin(step + 1)) / 2;
}

template <class Weights>
void add(Weights& weights, std::size_t bucket, int fade_shift) {
  for (std::uint32_t& weight : weights) weight -= weight >> fade_shift;
  weights[bucket] += kRun;
}

/// A name's fixed part: "trial-17" and "trial-18" are one.
std::string stem(const std::string& name) {
  std::string kept;
  for (const char c : name) {
    if (c < '0' || c > '9') kept += c;
  }
  return kept;
}

}  // namespace

std::int64_t log_step(double value) {
  if (!(value >= 1)) return 0;
  int exponent = 0;
  const double mantissa = std::frexp(value, &exponent);  // in [0.5, 1)
  return 1 + 4 * (static_cast<std::int64_t>(exponent) - 1) +
         static_cast<std::int64_t>((mantissa - 0.5) * 8);
}

double log_step_begin(std::int64_t step) {
  if (step <= 0) return 0;
  const std::int64_t quarters = (step - 1) % 4;
  return std::ldexp(1.0 + static_cast<double>(quarters) / 4, static_cast<int>((step - 1) / 4));
}

std::array<std::string, 4> RunTimes::kinds_of(const JobSpec& spec) {
  const std::int32_t gpus = gpu_total(spec.tasks).value;
  const std::int32_t tasks = task_count(spec.tasks);
  const char gap = '\x1f';
  // Those of one batch lose alike where they are stopped.
  const bool keeps = spec.checkpoint.interval.value_or(Duration{0}).ns > 0;
  return {fmt::format("{}{}{}{}{}{}{}{}{}{}", spec.tenant, gap, spec.queue, gap, stem(spec.name),
                      gap, gpus, gap, tasks, keeps ? "\x1fkeeps" : ""),
          fmt::format("{}{}{}", spec.queue, gap, gpus), fmt::format("{}", gpus), std::string()};
}

JobId RunTimes::batch_for(const JobSpec& spec, JobId job, Time now) {
  const auto names = kinds_of(spec);
  for (const std::string& name : names) kinds_.try_emplace(name);
  Kind& kind = kinds_.at(names[0]);
  const bool joins = batches_.contains(kind.batch) && now - kind.used_at <= kBatchGap;
  for (const std::string& name : names) kinds_.at(name).used_at = now;
  if (joins) return kind.batch;
  const JobId former = std::exchange(kind.batch, job);
  forget(former);
  Batch& batch = batches_[job];
  batch.weights = prior(spec);
  batch.kind = names[0];
  forget_kinds();
  return job;
}

RunTimes::Weights RunTimes::prior(const JobSpec& spec) const {
  std::array<double, kBuckets> belief{};
  std::fill_n(belief.begin(), kGuessedBuckets, 1.0 / kGuessedBuckets);
  const auto names = kinds_of(spec);
  for (std::size_t i = names.size(); i-- > 0;) {
    const auto kind = kinds_.find(names[i]);
    if (kind == kinds_.end()) continue;
    const Weights& own = kind->second.weights;
    const double sum =
        static_cast<double>(std::accumulate(own.begin(), own.end(), std::uint64_t{0}));
    const double whole = sum + kPriorRuns * kRun;
    for (std::size_t b = 0; b < kBuckets; ++b) {
      belief[b] = (own[b] + belief[b] * kPriorRuns * kRun) / whole;
    }
  }
  Weights weights{};
  for (std::size_t b = 0; b < kBuckets; ++b) {
    weights[b] = static_cast<std::uint32_t>(belief[b] * kRun);
  }
  return weights;
}

void RunTimes::join(const Job& job, Duration age) {
  const auto [found, is_new] = batches_.try_emplace(job.batch);
  Batch& batch = found->second;
  if (is_new) batch.weights = prior(job.spec);
  const auto step = static_cast<std::int64_t>(bucket_of(age));
  const auto there = batch.levels.find(step);
  if (there != batch.levels.end() &&
      std::binary_search(there->second.members.begin(), there->second.members.end(), job.id)) {
    return;
  }
  take_out(batch, job.id);
  const auto [level, is_first] = batch.levels.try_emplace(step);
  if (is_first) level->second.belief = assess(batch.weights, step);
  const auto from = batch.weights.begin() + step;
  if (step > 0 && std::all_of(from, batch.weights.end(), [](auto weight) { return weight == 0; })) {
    ++unseen_;
  }
  auto& members = level->second.members;
  members.insert(std::lower_bound(members.begin(), members.end(), job.id), job.id);
}

void RunTimes::take_out(Batch& batch, JobId job) {
  for (auto level = batch.levels.begin(); level != batch.levels.end(); ++level) {
    auto& members = level->second.members;
    const auto found = std::lower_bound(members.begin(), members.end(), job);
    if (found == members.end() || *found != job) continue;
    members.erase(found);
    if (members.empty()) batch.levels.erase(level);
    return;
  }
}

void RunTimes::leave(const Job& job) {
  const auto found = batches_.find(job.batch);
  if (found == batches_.end()) return;
  take_out(found->second, job.id);
  forget(job.batch);
}

const RunTimes::Belief& RunTimes::belief(const Job& job, Duration age) const {
  return batches_.at(job.batch).levels.at(static_cast<std::int64_t>(bucket_of(age))).belief;
}

RunTimes::Belief RunTimes::assess(const Weights& weights, std::int64_t step) {
  const auto from = static_cast<std::size_t>(step);
  const double age = log_step_begin(step);
  double mass = 0;
  for (std::size_t b = from; b < kBuckets; ++b) mass += weights[b];
  // Beyond all that was seen: as long again as it has run.
  if (mass < 1) return {2 * std::max(age, 1.0), std::max(age, 1.0)};
  Belief belief{std::numeric_limits<double>::max(), 0};
  double ended = 0;
  double spent = 0;
  for (std::size_t b = from; b < kBuckets; ++b) {
    if (weights[b] == 0) continue;
    ended += weights[b];
    spent += weights[b] * (middle(b) - age);
    const double allotment = log_step_begin(static_cast<std::int64_t>(b) + 1) - age;
    belief.gittins_s = std::min(belief.gittins_s, (spent + (mass - ended) * allotment) / ended);
    if (belief.median_s == 0 && ended * 2 >= mass) belief.median_s = middle(b) - age;
  }
  return belief;
}

Duration RunTimes::quantile(const Job& job, Duration age, double q) const {
  const Weights& weights = batches_.at(job.batch).weights;
  const std::size_t from = bucket_of(age);
  double mass = 0;
  for (std::size_t b = from; b < kBuckets; ++b) mass += weights[b];
  double passed = 0;
  for (std::size_t b = from; b < kBuckets; ++b) {
    if (weights[b] == 0 || passed + weights[b] < q * mass) {
      passed += weights[b];
      continue;
    }
    const double begin = std::max(log_step_begin(static_cast<std::int64_t>(b)), age.seconds());
    const double end = log_step_begin(static_cast<std::int64_t>(b) + 1);
    const double value = begin + (end - begin) * (q * mass - passed) / weights[b];
    return Duration{static_cast<std::int64_t>(value * 1e9)};
  }
  return age * 2;
}

bool RunTimes::knows(const JobSpec& spec) const {
  constexpr std::array<std::uint64_t, 2> kRunsMin{3, 10};
  const auto names = kinds_of(spec);
  for (std::size_t i = 0; i < kRunsMin.size(); ++i) {
    const auto kind = kinds_.find(names[i]);
    if (kind == kinds_.end()) continue;
    const Weights& own = kind->second.weights;
    // Old runs fade, so that three weigh a little less than three.
    const std::uint64_t sum = std::accumulate(own.begin(), own.end(), std::uint64_t{0});
    if (sum + kRun / 2 >= kRunsMin[i] * kRun) return true;
  }
  return false;
}

std::vector<std::vector<JobId>> RunTimes::observe(const Job& job, Duration total,
                                                  const Matters& matters) {
  const auto names = kinds_of(job.spec);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto kind = kinds_.find(names[i]);
    if (kind != kinds_.end()) add(kind->second.weights, bucket_of(total), kFadeShift[i + 1]);
  }
  const auto found = batches_.find(job.batch);
  if (found == batches_.end() || job.batch == JobId{}) return {};
  Batch& batch = found->second;
  add(batch.weights, bucket_of(total), kFadeShift[0]);
  std::vector<std::vector<JobId>> changed;
  for (const auto& [step, level] : batch.levels) {
    if (matters(level.belief, assess(batch.weights, step))) changed.push_back(level.members);
  }
  return changed;
}

void RunTimes::refresh(JobId batch) {
  const auto found = batches_.find(batch);
  if (found == batches_.end()) return;
  for (auto& [step, level] : found->second.levels) {
    level.belief = assess(found->second.weights, step);
  }
}

Duration RunTimes::next_change(Duration age) {
  const std::size_t bucket = bucket_of(age);
  if (bucket + 1 >= kBuckets) return Duration::max();
  const double begin = log_step_begin(static_cast<std::int64_t>(bucket) + 1);
  return Duration{static_cast<std::int64_t>(begin * 1e9)};
}

void RunTimes::forget(JobId batch) {
  const auto found = batches_.find(batch);
  if (found == batches_.end() || !found->second.levels.empty()) return;
  const auto kind = kinds_.find(found->second.kind);
  if (kind != kinds_.end() && kind->second.batch == batch) return;
  batches_.erase(found);
}

void RunTimes::forget_kinds() {
  if (kinds_.size() <= kKindsMax) return;
  auto oldest = kinds_.end();
  for (auto kind = kinds_.begin(); kind != kinds_.end(); ++kind) {
    const auto batch = batches_.find(kind->second.batch);
    const bool in_use = batch != batches_.end() && !batch->second.levels.empty();
    if (in_use) continue;
    if (oldest == kinds_.end() || kind->second.used_at < oldest->second.used_at) oldest = kind;
  }
  if (oldest == kinds_.end()) return;
  const JobId batch = oldest->second.batch;
  kinds_.erase(oldest);
  forget(batch);
}

RunTimeHistory RunTimes::state() const {
  RunTimeHistory state;
  for (const auto& [name, kind] : kinds_) {
    state.kinds.push_back(
        {name, kind.batch, kind.used_at, {kind.weights.begin(), kind.weights.end()}});
  }
  for (const auto& [first, batch] : batches_) {
    state.batches.push_back({first, batch.kind, {batch.weights.begin(), batch.weights.end()}});
  }
  return state;
}

Result<void> RunTimes::restore(const RunTimeHistory& state) {
  const auto take = [](const std::vector<std::uint32_t>& from, Weights& to) {
    if (from.size() != to.size()) return false;
    std::copy(from.begin(), from.end(), to.begin());
    return true;
  };
  bool whole = true;
  for (const RunTimeHistory::Kind& saved : state.kinds) {
    Kind& kind = kinds_[saved.name];
    kind.batch = saved.batch;
    kind.used_at = saved.used_at;
    whole = take(saved.weights, kind.weights) && whole;
  }
  for (const RunTimeHistory::Batch& saved : state.batches) {
    Batch& batch = batches_[saved.first];
    batch.kind = saved.kind;
    whole = take(saved.weights, batch.weights) && whole;
  }
  if (whole) return {};
  return fail(ErrorKind::Invalid, "a histogram of run times has not {} buckets", kBuckets);
}

}  // namespace gyre::reason
