#include "server/api/core_counts.h"

#include <algorithm>
#include <array>

namespace gyre::server {
namespace {

constexpr std::array kDecisionBounds{1e-5,   2.5e-5, 5e-5, 1e-4,   2.5e-4, 5e-4, 1e-3,
                                     2.5e-3, 5e-3,   1e-2, 2.5e-2, 0.1,    0.5};
constexpr std::array kJournalBounds{5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2,
                                    5e-2, 0.1,  0.25,   0.5,  1.0,  5.0};
constexpr std::array kStageBounds{1e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1,  0.25,
                                  0.5,  1.0,  2.5,  5.0,    10.0, 30.0, 120.0};
constexpr std::array kWaitBounds{1.0,   5.0,    15.0,   60.0,    300.0,   900.0,
                                 3600., 10800., 43200., 86400.0, 259200., 604800.};

std::string_view size_class(std::int64_t gpu_milli) {
  if (gpu_milli == 0) return "0";
  if (gpu_milli < kWholeGpu.value) return "<1";
  if (gpu_milli == kWholeGpu.value) return "1";
  if (gpu_milli <= 8 * kWholeGpu.value) return "2-8";
  return gpu_milli <= 64 * kWholeGpu.value ? "9-64" : "65+";
}

Duration elapsed(std::chrono::steady_clock::time_point from,
                 std::chrono::steady_clock::time_point to) {
  return Duration{std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count()};
}

}  // namespace

std::array<std::pair<std::string_view, Duration>, 5> stages_of(const StartStages& took) {
  return {{{"image", took.image},
           {"root", took.root},
           {"create", took.create},
           {"init", took.init},
           {"ready", took.ready}}};
}

std::span<const double> stage_bounds() { return kStageBounds; }

CoreCounts::Read::Read() : decisions(kDecisionBounds), journal_lag(kJournalBounds) {}

CoreCounts::CoreCounts(const control::Controller& core) : last_(core.now()), begun_at_(core.now()) {
  core.jobs().for_each([this](const Job& job) {
    if (is_placed(job.state)) read_.gpu_milli += gpu_total(job.spec->tasks).value;
  });
  for (const Node& node : core.cluster().nodes()) {
    node_up_.push_back(node.up);
    (node.up ? read_.gpu_milli_up : read_.gpu_milli_down) +=
        std::int64_t{kWholeGpu.value} * node.spec.gpus;
  }
}

void CoreCounts::before(const Event&) { began_ = Clock::now(); }

void CoreCounts::after(const Event& event, const control::Decisions& decisions,
                       const control::Controller& core) {
  const std::lock_guard lock(mutex_);
  if (began_) {
    read_.decisions.add(elapsed(*began_, Clock::now()));
    undurable_.push_back({event.seq, *began_});
    began_.reset();
  }
  if (event.at > last_) pass(read_, event.at - last_);
  last_ = std::max(last_, event.at);
  ++read_.events;
  if (core.has_leftover()) ++read_.budget_hits;
  read_.work_max = core.work_max();
  read_.fallbacks = core.prediction_fallbacks();
  read_.restart_cost = core.restart_cost();
  for (const Command& command : decisions.commands) {
    if (std::holds_alternative<StartGang>(command.body)) ++read_.starts;
    if (std::holds_alternative<StopGang>(command.body)) ++read_.stops;
    if (std::holds_alternative<ReplaceTask>(command.body)) ++read_.replacements;
  }
  for (const Transition& change : decisions.transitions) note_transition(change, core);
  note_nodes(event, core);
  if (const auto* started = std::get_if<TaskStarted>(&event.body)) note_start(*started, core);
}

void CoreCounts::committed(EventSeq seq) {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  const auto later = std::find_if(undurable_.begin(), undurable_.end(),
                                  [seq](const Undurable& one) { return one.seq > seq; });
  for (auto one = undurable_.begin(); one != later; ++one) {
    read_.journal_lag.add(elapsed(one->began, now));
  }
  undurable_.erase(undurable_.begin(), later);
}

CoreCounts::Read CoreCounts::read(Time now) const {
  const std::lock_guard lock(mutex_);
  Read out = read_;
  if (now > last_) pass(out, now - last_);
  out.events_not_durable = undurable_.size();
  return out;
}

void CoreCounts::pass(Read& read, Duration time) {
  const auto gpu_seconds = [time](std::int64_t milli) {
    return time.seconds() * static_cast<double>(std::max<std::int64_t>(0, milli)) / kWholeGpu.value;
  };
  read.gpu_seconds.allocated += gpu_seconds(read.gpu_milli);
  read.gpu_seconds.idle += gpu_seconds(read.gpu_milli_up - read.gpu_milli);
  read.gpu_seconds.broken += gpu_seconds(read.gpu_milli_down);
}

void CoreCounts::note_nodes(const Event& event, const control::Controller& core) {
  std::optional<NodeId> id;
  if (const auto* joined = std::get_if<NodeJoined>(&event.body)) id = joined->node;
  if (const auto* lost = std::get_if<NodeLost>(&event.body)) id = lost->node;
  if (const auto* back = std::get_if<NodeReturned>(&event.body)) id = back->node;
  if (!id || id->value >= core.cluster().nodes().size()) return;
  const Node& node = core.cluster().node(*id);
  const std::int64_t milli = std::int64_t{kWholeGpu.value} * node.spec.gpus;
  const auto level = [this](bool up) -> std::int64_t& {
    return up ? read_.gpu_milli_up : read_.gpu_milli_down;
  };
  if (id->value < node_up_.size()) {
    level(node_up_[id->value]) -= milli;
  } else {
    node_up_.resize(id->value + 1);
  }
  node_up_[id->value] = node.up;
  level(node.up) += milli;
}

void CoreCounts::note_transition(const Transition& change, const control::Controller& core) {
  ++read_.transitions[{change.to, change.cause}];
  const Job* job = core.jobs().find(change.job);
  if (job == nullptr) return;
  const std::int64_t held = gpu_total(job->spec->tasks).value;
  if (change.to == JobState::Starting && change.attempt == 1) {
    const WaitClass key{class_name(job->spec->queue), size_class(held)};
    read_.waits.try_emplace(key, kWaitBounds).first->second.add(change.at - job->submitted_at);
  }
  if (is_placed(change.from) == is_placed(change.to)) return;
  read_.gpu_milli += is_placed(change.to) ? held : -held;
}

void CoreCounts::note_start(const TaskStarted& event, const control::Controller& core) {
  const Job* job = core.jobs().find(event.job);
  const Time received = event.stages.received;
  if (job == nullptr || attempt_of(*job, event.rank) != event.attempt || received == Time{}) return;
  if (received < begun_at_) return;  // of an earlier life, told again by who took it over
  for (const auto& [stage, duration] : stages_of(event.stages)) {
    const StartStage key{stage, event.stages.warm};
    read_.start_stages.try_emplace(key, kStageBounds).first->second.add(duration);
  }
}

std::string CoreCounts::class_name(const std::string& queue) {
  if (std::find(queues_.begin(), queues_.end(), queue) != queues_.end()) return queue;
  if (queues_.size() == kQueuesMax) return "other";
  queues_.push_back(queue);
  return queue;
}

}  // namespace gyre::server
