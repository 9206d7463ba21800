#include "server/api/fleet_watch.h"

#include <algorithm>
#include <variant>

namespace gyre::server {
namespace {

using observe::GaugeHistory;

FleetWatch::Lines new_lines(Time start) {
  return {FleetWatch::new_history(start), FleetWatch::new_history(start),
          FleetWatch::new_history(start)};
}

bool concerns_jobs_only(const Event& event) {
  return std::holds_alternative<Tick>(event.body) ||
         std::holds_alternative<JobSubmitted>(event.body) ||
         std::holds_alternative<JobStopRequested>(event.body) ||
         std::holds_alternative<TaskStarted>(event.body) ||
         std::holds_alternative<TaskEnded>(event.body);
}

bool heals_nodes(const control::Decisions& decisions) {
  return std::any_of(decisions.commands.begin(), decisions.commands.end(), [](const Command& one) {
    return std::holds_alternative<QuarantineNode>(one.body) ||
           std::holds_alternative<ReleaseNode>(one.body);
  });
}

void change(GaugeHistory& gauge, Time at, std::int64_t by) { gauge.set(at, gauge.value() + by); }

}  // namespace

GaugeHistory FleetWatch::new_history(Time start) {
  return GaugeHistory({{seconds(10), 360}, {seconds(120), 720}, {seconds(3600), 720}}, start, 0);
}

std::int64_t FleetWatch::Counts::placed() const {
  return of(JobState::Starting) + of(JobState::Running) + of(JobState::Preempting) +
         of(JobState::Stopping);
}

FleetWatch::FleetWatch(const control::Controller& core, Time now)
    : gpu_milli_up_(new_history(now)), fleet_(new_lines(now)) {
  note_queues(core, now);
  core.jobs().for_each([&](const Job& job) { enter(job, job.state, now); });
  count_fleet(core);
  count_used(core);
  record(now);
}

void FleetWatch::after(const Event& event, const control::Decisions& decisions,
                       const control::Controller& core) {
  if (!concerns_jobs_only(event) || heals_nodes(decisions)) {
    note_queues(core, event.at);
    count_fleet(core);
  }
  for (const Transition& change : decisions.transitions) {
    const Job* job = core.jobs().find(change.job);
    if (job == nullptr) continue;
    const bool arrives = change.from == change.to;
    if (!arrives) leave(*job, change.from, event.at);
    enter(*job, change.to, event.at);
  }
  count_used(core);
  record(event.at);
}

void FleetWatch::note_queues(const control::Controller& core, Time at) {
  for (const QueueSpec& queue : core.queues()) {
    const bool known = std::any_of(queues_.begin(), queues_.end(),
                                   [&](const auto& one) { return one.name == queue.name; });
    if (known || queues_.size() == kQueuesMax) continue;
    queues_.push_back({queue.name, new_lines(at)});
  }
}

void FleetWatch::count_fleet(const control::Controller& core) {
  counts_.nodes_up = counts_.nodes_down = counts_.gpu_milli_up = counts_.gpu_milli_down = 0;
  counts_.virtual_gpus = gpu_milli_open_ = 0;
  closed_.clear();
  std::uint32_t id = 0;
  for (const Node& node : core.cluster().nodes()) {
    const std::int64_t milli = std::int64_t{kWholeGpu.value} * node.spec.gpus;
    (node.up ? counts_.nodes_up : counts_.nodes_down) += 1;
    (node.up ? counts_.gpu_milli_up : counts_.gpu_milli_down) += milli;
    if (node.up && node.spec.virtual_gpus) counts_.virtual_gpus += node.spec.gpus;
    if (node.open()) gpu_milli_open_ += milli;
    if (node.up && !node.open()) closed_.push_back(NodeId{id});
    ++id;
  }
  counts_.nodes_closed = std::ssize(closed_);
}

void FleetWatch::count_used(const control::Controller& core) {
  const Cluster& cluster = core.cluster();
  std::int64_t used = gpu_milli_open_;
  for (std::uint32_t i = 0; i < cluster.partition_count(); ++i) {
    used -= cluster.free_gpu_milli(PartitionId{i});
  }
  for (const NodeId id : closed_) {
    const Node& node = cluster.node(id);
    for (std::int32_t i = 0; i < node.spec.gpus; ++i) {
      used += kWholeGpu.value - node.free.gpu[static_cast<std::size_t>(i)];
    }
  }
  counts_.gpu_milli_used = used;
}

void FleetWatch::record(Time at) {
  gpu_milli_up_.set(at, counts_.gpu_milli_up);
  fleet_.gpu_milli_used.set(at, counts_.gpu_milli_used);
  fleet_.jobs_queued.set(at, counts_.of(JobState::Queued));
  fleet_.jobs_placed.set(at, counts_.placed());
}

FleetWatch::QueueLines* FleetWatch::queue_of(const Job& job) {
  const auto found = std::find_if(queues_.begin(), queues_.end(), [&](const QueueLines& one) {
    return one.name == job.spec->queue;
  });
  return found == queues_.end() ? nullptr : &*found;
}

void FleetWatch::enter(const Job& job, JobState state, Time at) {
  ++counts_.jobs[static_cast<std::size_t>(state)];
  QueueLines* queue = is_final(state) ? nullptr : queue_of(job);
  if (queue == nullptr) return;
  if (state == JobState::Queued) return change(queue->lines.jobs_queued, at, 1);
  change(queue->lines.jobs_placed, at, 1);
  change(queue->lines.gpu_milli_used, at, gpu_total(job.spec->tasks).value);
}

void FleetWatch::leave(const Job& job, JobState state, Time at) {
  --counts_.jobs[static_cast<std::size_t>(state)];
  QueueLines* queue = is_final(state) ? nullptr : queue_of(job);
  if (queue == nullptr) return;
  if (state == JobState::Queued) return change(queue->lines.jobs_queued, at, -1);
  change(queue->lines.jobs_placed, at, -1);
  change(queue->lines.gpu_milli_used, at, -std::int64_t{gpu_total(job.spec->tasks).value});
}

}  // namespace gyre::server
