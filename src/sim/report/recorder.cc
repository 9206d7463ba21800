#include "sim/report/recorder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <utility>

#include "sim/report/fairness.h"

namespace gyre::sim {
namespace {

constexpr std::uint64_t kSamples = 500;  // of a run, about
constexpr std::uint64_t kSamplesMax = 2000;
constexpr double kSlowdownBound = 10;  // seconds

/// Divided, not multiplied by 1e-9: whole seconds stay whole.
double to_seconds(Duration span) { return static_cast<double>(span.ns) / 1e9; }

std::int64_t milli_of(const Allocation& part) {
  return std::int64_t{part.gpu_milli.value} * std::popcount(part.devices);
}

double nearest_rank(const std::vector<Duration>& sorted, double quantile) {
  const double rank = std::ceil(quantile * static_cast<double>(sorted.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return to_seconds(sorted[std::min(index, sorted.size() - 1)]);
}

bool is_rejection(const Transition& transition) {
  return transition.from == JobState::Queued && is_final(transition.to) &&
         transition.attempt == 0 &&
         (transition.cause == Termination::NeverFits ||
          transition.cause == Termination::Misconfigured);
}

}  // namespace

Spread spread_of(std::vector<Duration>& spans) {
  if (spans.empty()) return {};
  std::sort(spans.begin(), spans.end());
  double sum = 0;
  for (const Duration span : spans) sum += to_seconds(span);
  return {spans.size(), sum / static_cast<double>(spans.size()), nearest_rank(spans, 0.50),
          nearest_rank(spans, 0.90), nearest_rank(spans, 0.99)};
}

void Recorder::Level::change(std::int64_t by, Time at) {
  area += static_cast<double>(value) * to_seconds(at - changed_at);
  changed_at = at;
  value += by;
  peak = std::max(peak, value);
}

Recorder::Recorder(Inputs inputs)
    : inputs_(std::move(inputs)), fragmentation_(demand_mix(inputs_.workload)) {
  outcomes_.reserve(inputs_.workload.gang_of.size());
}

void Recorder::after(const Event& event, const control::Decisions& decisions,
                     const control::Controller& core) {
  if (!measuring_ && event.at >= inputs_.measured_from) begin_measuring();
  pass_time(event.at);
  ++events_;
  if (const auto* ended = std::get_if<TaskEnded>(&event.body)) {
    end_task(ended->job, ended->attempt, ended->rank);
  } else if (const auto* joined = std::get_if<NodeJoined>(&event.body)) {
    capacity_milli_ += std::int64_t{joined->spec.gpus} * kWholeGpu.value;
    up_milli_ += std::int64_t{joined->spec.gpus} * kWholeGpu.value;
  } else if (const auto* lost = std::get_if<NodeLost>(&event.body)) {
    lose_node(lost->node, core.cluster());
  } else if (const auto* back = std::get_if<NodeReturned>(&event.body)) {
    up_milli_ += std::int64_t{core.cluster().node(back->node).spec.gpus} * kWholeGpu.value;
  }
  for (const Transition& transition : decisions.transitions) {
    take(transition);
    if (is_rejection(transition)) note_rejection(transition.job, core);
  }
  for (const Command& command : decisions.commands) {
    if (const auto* start = std::get_if<StartGang>(&command.body)) take(*start);
    if (const auto* anew = std::get_if<ReplaceTask>(&command.body)) take(*anew);
  }
  if (!outcomes_.empty() && sample_is_due()) sample(core.cluster());
}

void Recorder::begin_measuring() {
  measuring_ = true;
  pass_time(inputs_.measured_from);
  allocated_.change(0, inputs_.measured_from);
  allocated_.area = 0;
  allocated_.peak = allocated_.value;
  fragmented_milli_area_ = fragmented_area_ = fragmented_s_ = 0;
  active_until_ = inputs_.measured_from;
  for (JobOutcome& job : outcomes_) job.preemptions = 0;
}

bool Recorder::is_pinned(const JobOutcome& job) const {
  return inputs_.script != nullptr && inputs_.script->jobs[job.job].pinned;
}

bool Recorder::counts(const JobOutcome& job) const {
  if (is_pinned(job)) return false;
  return job.submitted_at >= inputs_.measured_from || !job.ended_at ||
         *job.ended_at >= inputs_.measured_from;
}

std::vector<JobOutcome> Recorder::counted() const {
  std::vector<JobOutcome> jobs;
  std::copy_if(outcomes_.begin(), outcomes_.end(), std::back_inserter(jobs),
               [this](const JobOutcome& job) { return counts(job); });
  return jobs;
}

void Recorder::pass_time(Time until) {
  const double passed = to_seconds(until - now_);
  now_ = until;
  fragmented_milli_area_ += fragmented_.lost_milli * passed;
  if (!fragmented_.ratio) return;
  fragmented_area_ += *fragmented_.ratio * passed;
  fragmented_s_ += passed;
}

void Recorder::take(const Transition& transition) {
  const auto index = static_cast<std::size_t>(transition.job.value - 1);
  if (index == outcomes_.size()) {
    JobOutcome fresh;
    fresh.job = static_cast<std::uint32_t>(index);
    fresh.submitted_at = now_;
    fresh.queued_at = now_;
    fresh.gpu = gpu_total(inputs_.workload.gangs[inputs_.workload.gang_of[index]]);
    outcomes_.push_back(fresh);
    ++waiting_;
    return;
  }
  JobOutcome& job = outcomes_[index];
  const bool was_placed = is_placed(transition.from);
  const bool placed = is_placed(transition.to);
  if (was_placed || placed) active_until_ = now_;
  if (placed && !was_placed) {
    allocated_.change(job.gpu.value, now_);
    ++placed_;
  } else if (was_placed && !placed) {
    // The tasks of a larger gang have given back theirs already.
    if (gangs_.erase(transition.job) == 0) allocated_.change(-job.gpu.value, now_);
    --placed_;
  }
  if (transition.from == JobState::Queued) {
    --waiting_;
    job.waited = job.waited + (now_ - job.queued_at);
  }
  if (transition.to == JobState::Queued) {
    ++waiting_;
    job.queued_at = now_;
    if (transition.from == JobState::Preempting) ++job.preemptions;
  }
  if (transition.to == JobState::Running && !job.started_at) job.started_at = now_;
  job.state = transition.to;
  job.attempts = std::max(job.attempts, transition.attempt);
  if (!is_final(job.state)) return;
  job.cause = transition.cause;
  job.ended_at = now_;
  ++done_;
}

void Recorder::note_rejection(JobId id, const control::Controller& core) {
  if (inputs_.script != nullptr) return;
  const auto index = static_cast<std::size_t>(id.value - 1);
  const TraceJob& job = inputs_.trace.jobs[index];
  Rejection& known = rejections_[{job.queue, inputs_.workload.gang_of[index]}];
  ++known.jobs;
  if (!known.reason.empty()) return;
  known.example = inputs_.trace.names[job.row];
  const Job* rejected = core.jobs().find(id);
  if (rejected == nullptr) return;
  if (const auto fine = core.check(rejected->spec); !fine) known.reason = fine.error().message;
}

std::optional<Rejection> Recorder::most_frequent_rejection() const {
  const auto most =
      std::max_element(rejections_.begin(), rejections_.end(),
                       [](const auto& a, const auto& b) { return a.second.jobs < b.second.jobs; });
  if (most == rejections_.end()) return std::nullopt;
  return most->second;
}

void Recorder::take(const StartGang& start) {
  if (start.placement.size() == 1) return;
  Gang gang;
  gang.attempts.assign(start.placement.size(), start.attempt);
  for (const TaskPlacement& task : start.placement) {
    gang.nodes.push_back(task.node);
    gang.milli.push_back(milli_of(task.allocation));
  }
  gangs_.insert_or_assign(start.job, std::move(gang));
}

void Recorder::take(const ReplaceTask& anew) {
  Gang& gang = gangs_.at(anew.job);
  const auto rank = static_cast<std::size_t>(anew.task.rank);
  gang.attempts[rank] = anew.attempt;
  gang.nodes[rank] = anew.task.node;
  gang.milli[rank] = milli_of(anew.task.allocation);
  allocated_.change(gang.milli[rank], now_);
}

void Recorder::end_task(JobId job, std::int32_t attempt, std::int32_t rank) {
  const auto found = gangs_.find(job);
  const auto index = static_cast<std::size_t>(rank);
  if (found == gangs_.end() || found->second.attempts[index] != attempt) return;
  allocated_.change(-std::exchange(found->second.milli[index], 0), now_);
}

void Recorder::lose_node(NodeId node, const Cluster& cluster) {
  up_milli_ -= std::int64_t{cluster.node(node).spec.gpus} * kWholeGpu.value;
  for (auto& [job, gang] : gangs_) {
    for (std::size_t i = 0; i < gang.nodes.size(); ++i) {
      if (gang.nodes[i] == node) end_task(job, gang.attempts[i], static_cast<std::int32_t>(i));
    }
  }
}

bool Recorder::sample_is_due() const {
  if (samples_ >= kSamplesMax) return false;
  if (events_ - events_at_sample_ > inputs_.events_expected / kSamples) return true;
  return now_ - sampled_at_ > (inputs_.last_arrival - Time{}) / std::int64_t{kSamples};
}

void Recorder::sample(const Cluster& cluster) {
  ++samples_;
  events_at_sample_ = events_;
  sampled_at_ = now_;
  fragmented_ = fragmentation_.measure(cluster);
  if (inputs_.keep_jobs) series_.push_back(point());
}

SeriesPoint Recorder::point() const {
  return {now_, allocated_.value, up_milli_, waiting_, placed_};
}

void Recorder::count_ends(PolicyResult& result) const {
  for (const JobOutcome& job : outcomes_) {
    if (!counts(job)) continue;
    ++result.jobs;
    result.preemptions += static_cast<std::uint64_t>(job.preemptions);
    if (job.state == JobState::Succeeded) {
      ++result.finished;
    } else if (job.attempts == 0 &&
               (job.cause == Termination::NeverFits || job.cause == Termination::Misconfigured)) {
      ++result.rejected;
    } else if (is_final(job.state)) {
      ++result.failed;
    }
  }
}

void Recorder::count_waits(PolicyResult& result) const {
  Duration longest{0};
  if (inputs_.starve_after.ns > 0) result.starved = 0;
  for (const JobOutcome& job : outcomes_) {
    if (!counts(job)) continue;
    const bool waits = job.state == JobState::Queued;
    const Duration waited = waits ? job.waited + (now_ - job.queued_at) : job.waited;
    longest = std::max(longest, waited);
    if (result.starved && waited > inputs_.starve_after) ++*result.starved;
  }
  result.longest_wait_s = to_seconds(longest);
}

double Recorder::bounded_slowdown() const {
  double sum = 0;
  std::uint64_t count = 0;
  for (const JobOutcome& job : outcomes_) {
    if (job.state != JobState::Succeeded || !counts(job)) continue;
    const double work = std::max(to_seconds(inputs_.trace.jobs[job.job].duration), kSlowdownBound);
    sum += std::max(1.0, to_seconds(*job.ended_at - job.submitted_at) / work);
    ++count;
  }
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

PolicyResult Recorder::result() {
  if (!measuring_) begin_measuring();
  const Time from = inputs_.measured_from;
  PolicyResult result;
  result.policy = inputs_.policy;
  count_ends(result);
  count_waits(result);
  result.waiting_at_end = waiting_;
  result.placed_at_end = placed_;
  result.makespan_s = to_seconds(active_until_ - from);
  std::vector<Duration> waits;
  std::vector<Duration> completions;
  for (const JobOutcome& job : outcomes_) {
    if (!counts(job)) continue;
    if (job.started_at >= from) waits.push_back(*job.started_at - job.submitted_at);
    if (job.state == JobState::Succeeded) completions.push_back(*job.ended_at - job.submitted_at);
  }
  result.bounded_slowdown_mean = bounded_slowdown();
  result.fairness = fairness_of(from == Time{} && inputs_.script == nullptr ? outcomes_ : counted(),
                                inputs_.trace, inputs_.workload, capacity_milli_);
  result.wait = spread_of(waits);
  result.jct = spread_of(completions);
  const auto capacity = static_cast<double>(capacity_milli_);
  if (capacity > 0) {
    result.gpu_allocation_peak = static_cast<double>(allocated_.peak) / capacity;
    allocated_.change(0, active_until_);
    if (result.makespan_s > 0) {
      result.gpu_allocation_mean = allocated_.area / (capacity * result.makespan_s);
    }
  }
  if (result.makespan_s > 0) {
    result.fragmented_gpus_mean = fragmented_milli_area_ / kWholeGpu.value / result.makespan_s;
  }
  if (fragmented_s_ > 0) result.fragmentation_mean = fragmented_area_ / fragmented_s_;
  result.rejection = most_frequent_rejection();
  result.events = events_;
  if (!inputs_.keep_jobs) return result;
  series_.push_back(point());
  result.outcomes = std::move(outcomes_);
  result.series = std::move(series_);
  return result;
}

}  // namespace gyre::sim
