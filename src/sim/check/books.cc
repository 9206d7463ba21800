#include "sim/check/books.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace gyre::sim {
namespace {

constexpr std::size_t kViolationsMax = 100;

bool holds_anything(const Books::JobBook& job) {
  return std::any_of(job.ranks.begin(), job.ranks.end(),
                     [](TaskState rank) { return rank != TaskState::Ended; });
}

bool is_stopping(const Books::JobBook& job) {
  return job.state == JobState::Preempting || job.state == JobState::Stopping;
}

/// What the task of this rank asks for: groups in order, each `count` ranks.
const Request* request_of(const Books::JobBook& job, std::int32_t rank) {
  for (const TaskGroup& group : job.tasks) {
    if (rank < group.count) return &group.request;
    rank -= group.count;
  }
  return nullptr;
}

bool is_wanted(const NodeSpec& node, const Request& request) {
  if (request.gpus == 0) return true;
  const auto& models = request.gpu_models;
  const bool model =
      models.empty() || std::find(models.begin(), models.end(), node.gpu_model) != models.end();
  return model && node.gpu_memory >= request.gpu_memory;
}

}  // namespace

void Books::report(Invariant invariant, std::string detail) {
  if (violations_.size() < kViolationsMax) {
    violations_.push_back({invariant, now_, seq_, std::move(detail)});
  }
}

const Books::JobBook* Books::find(JobId id) const {
  const auto found = jobs_.find(id);
  return found == jobs_.end() ? nullptr : &found->second;
}

Books::JobBook* Books::writable(JobId id) {
  const auto found = jobs_.find(id);
  return found == jobs_.end() ? nullptr : &found->second;
}

std::optional<std::string> Books::partition_of(const std::string& queue) const {
  const auto found = partition_of_queue_.find(queue);
  return found == partition_of_queue_.end() ? std::nullopt : std::optional(found->second);
}

void Books::apply(const Event& event, const control::Decisions& decisions) {
  now_ = event.at;
  seq_ = event.seq;
  std::visit([this](const auto& body) { on(body); }, event.body);
  beneficiaries_.clear();
  for (const Command& command : decisions.commands) {
    const auto* stop = std::get_if<StopGang>(&command.body);
    if (stop != nullptr) beneficiaries_[stop->job] = stop->beneficiary;
    // The first that is done: what follows from the event may stop the job after all.
    if (const auto* anew = std::get_if<ReplaceTask>(&command.body)) take(*anew);
  }
  for (const Transition& transition : decisions.transitions) take(transition);
  for (const Command& command : decisions.commands) {
    if (const auto* start = std::get_if<StartGang>(&command.body)) take(*start, decisions);
    if (const auto* stop = std::get_if<StopGang>(&command.body)) take(*stop);
    if (const auto* out = std::get_if<QuarantineNode>(&command.body))
      set_quarantined(out->node, true);
    if (const auto* in = std::get_if<ReleaseNode>(&command.body)) set_quarantined(in->node, false);
    if (const auto* repair = std::get_if<RepairNode>(&command.body)) check_repair(repair->node);
  }
  for (const Transition& transition : decisions.transitions) {
    if (transition.to != JobState::Starting) continue;
    const bool started = std::any_of(decisions.commands.begin(), decisions.commands.end(),
                                     [&](const Command& command) {
                                       const auto* start = std::get_if<StartGang>(&command.body);
                                       return start != nullptr && start->job == transition.job;
                                     });
    if (!started) {
      report(Invariant::GangWhole,
             fmt::format("job {} is starting, but no gang was started", transition.job.value));
    }
  }
  if (const auto* submitted = std::get_if<JobSubmitted>(&event.body)) {
    const JobBook* job = find(submitted->job);
    if (job != nullptr && !job->announced) {
      report(Invariant::JobsConserved,
             fmt::format("job {} was submitted, but is in no state", submitted->job.value));
    }
  }
}

void Books::finish() {
  for (const auto& [id, job] : jobs_) {
    if (!is_placed(job.state) && holds_anything(job)) {
      report(Invariant::AllReleased, fmt::format("job {} is {}, but holds resources at the end",
                                                 id.value, to_string(job.state)));
    }
  }
  if (!placed_.empty()) return;
  for (const NodeBook& node : nodes_) {
    const auto full = std::count(node.gpu_free.begin(), node.gpu_free.end(), kWholeGpu.value);
    if (full == node.spec.gpus && node.cpu_free == node.spec.cpu &&
        node.memory_free == node.spec.memory) {
      continue;
    }
    report(Invariant::AllReleased,
           fmt::format("nothing runs any more, but {} is not wholly free", node.spec.name));
  }
}

// --- events

void Books::on(const QueueSet& event) {
  if (!validate(event.queue)) return;
  const auto parent = partition_of_queue_.find(event.queue.parent);
  const bool known = partition_of_queue_.contains(event.queue.name);
  if (!known && !event.queue.parent.empty() &&
      (parent == partition_of_queue_.end() || parent->second != event.queue.partition)) {
    return;
  }
  partition_of_queue_.try_emplace(event.queue.name, event.queue.partition);
  quotas_.set(event.queue);
}

void Books::on(const NodeJoined& event) {
  if (event.node.value != nodes_.size()) return;
  NodeBook node{event.spec, {}, event.spec.cpu, event.spec.memory};
  std::fill_n(node.gpu_free.begin(), event.spec.gpus, kWholeGpu.value);
  nodes_.push_back(std::move(node));
}

void Books::on(const NodeLost& event) {
  if (event.node.value >= nodes_.size()) return;
  nodes_[event.node.value].up = false;
  nodes_[event.node.value].silent = false;
  for (const JobId id : placed_) {
    JobBook& job = jobs_.at(id);
    for (std::size_t i = 0; i < job.placement.size(); ++i) {
      if (job.placement[i].node == event.node) release(job, i);
    }
  }
}

void Books::on(const NodeReturned& event) {
  if (event.node.value < nodes_.size()) nodes_[event.node.value].up = true;
}

void Books::on(const NodeDutySet& event) {
  if (event.node.value < nodes_.size()) nodes_[event.node.value].duty = event.duty;
}

void Books::on(const NodeContact& event) {
  if (event.node.value >= nodes_.size() || !nodes_[event.node.value].up) return;
  nodes_[event.node.value].silent = event.silent;
}

void Books::on(const GpuHealthSeen& event) {
  if (event.node.value >= nodes_.size()) return;
  NodeBook& node = nodes_[event.node.value];
  if (event.device < 0 || event.device >= node.spec.gpus) return;
  node.gpu_health.at(static_cast<std::size_t>(event.device)) = event.health;
}

void Books::on(const JobSubmitted& event) {
  JobBook job;
  job.queue = event.spec->queue;
  job.preemptible = event.spec->preemptible;
  job.topology = event.spec->topology;
  job.tenant = event.spec->tenant;
  job.group = group_of(event.spec);
  job.rules = event.spec->placement;
  job.tasks = event.spec->tasks;
  job.repaired_in_place = event.spec->retry.on_node_loss == NodeLossAnswer::Task;
  jobs_.try_emplace(event.job, std::move(job));
}

void Books::wish(const ServiceSpec& spec) {
  std::vector<JobSpec>& wanted = replicas_wanted_[spec.replica.name];
  if (std::find(wanted.begin(), wanted.end(), spec.replica) == wanted.end()) {
    wanted.push_back(spec.replica);
  }
}

void Books::adopt(const Job& job) {
  const auto known = replicas_wanted_.find(job.service);
  const bool wanted =
      known != replicas_wanted_.end() &&
      std::find(known->second.begin(), known->second.end(), job.spec) != known->second.end();
  if (!wanted) {
    report(Invariant::JobsConserved,
           fmt::format("the core has made up job {}, which no service asks for", job.id.value));
  }
  on(JobSubmitted{job.id, job.spec, {}});
}

void Books::on(const TaskStarted& event) {
  JobBook* job = writable(event.job);
  const auto rank = static_cast<std::size_t>(event.rank);
  if (job == nullptr || rank >= job->ranks.size()) return;
  if (job->attempts[rank] != event.attempt) return;
  if (job->ranks[rank] == TaskState::Starting) job->ranks[rank] = TaskState::Running;
}

void Books::on(const TaskEnded& event) {
  JobBook* job = writable(event.job);
  const auto rank = static_cast<std::size_t>(event.rank);
  if (job == nullptr || rank >= job->ranks.size()) return;
  if (job->attempts[rank] != event.attempt) return;
  release(*job, rank);
}

// --- the core's answers

void Books::take(const Transition& transition) {
  JobBook* job = writable(transition.job);
  if (job == nullptr) {
    return report(
        Invariant::JobsConserved,
        fmt::format("job {} changes its state, but was never submitted", transition.job.value));
  }
  const bool arrives =
      !job->announced && transition.from == JobState::Queued && transition.to == JobState::Queued;
  const bool follows = job->announced && transition.from == job->state &&
                       is_legal_transition(transition.from, transition.to);
  if (!arrives && !follows) {
    report(
        Invariant::LegalTransition,
        fmt::format("job {} is {} and goes from {} to {}", transition.job.value,
                    to_string(job->state), to_string(transition.from), to_string(transition.to)));
  }
  const bool preempted =
      is_placed(transition.to) && (job->preempted || transition.to == JobState::Preempting);
  if (transition.to == JobState::Preempting) {
    const auto known = beneficiaries_.find(transition.job);
    job->preempted_for = known == beneficiaries_.end() ? JobId{} : known->second;
  }
  if (!preempted) job->preempted_for = JobId{};
  job->preempted = preempted;
  job->announced = true;
  count_quota(transition, *job);
  job->state = transition.to;
  is_placed(job->state) ? (void)placed_.insert(transition.job)
                        : (void)placed_.erase(transition.job);
  job->state == JobState::Queued ? (void)waiting_.insert(transition.job)
                                 : (void)waiting_.erase(transition.job);
  if (is_placed(job->state)) return;
  if (holds_anything(*job)) {
    report(Invariant::AllReleased, fmt::format("job {} is {}, but still holds resources",
                                               transition.job.value, to_string(job->state)));
  }
  if (is_final(job->state)) job->tasks = {};
}

void Books::count_quota(const Transition& transition, const JobBook& job) {
  const ResourceSum amount = resources_of(job.tasks);
  const auto is_stopping = [](JobState state) {
    return state == JobState::Preempting || state == JobState::Stopping;
  };
  const bool before = is_placed(job.state);
  const bool after = is_placed(transition.to);
  std::string wrong;
  if (!before && after) wrong = quotas_.placed(job.queue, amount);
  if (before && after && !is_stopping(job.state) && is_stopping(transition.to)) {
    const auto found = beneficiaries_.find(transition.job);
    const JobBook* other = found == beneficiaries_.end() ? nullptr : find(found->second);
    if (other != nullptr) wrong = quotas_.reclaim(job.queue, other->queue);
    quotas_.stopping(job.queue, amount);
  }
  if (before && !after) quotas_.gone(job.queue, amount, is_stopping(job.state));
  if (wrong.empty()) return;
  report(Invariant::QuotaKept, fmt::format("job {} goes from {} to {}: {}", transition.job.value,
                                           to_string(job.state), to_string(transition.to), wrong));
}

void Books::take(const StartGang& start, const control::Decisions& decisions) {
  JobBook* job = writable(start.job);
  if (job == nullptr) {
    return report(Invariant::JobsConserved,
                  fmt::format("job {} starts, but was never submitted", start.job.value));
  }
  if (holds_anything(*job) || start.attempt != job->attempt + 1) {
    report(Invariant::RunsOnce, fmt::format("job {} starts attempt {} while attempt {} {}",
                                            start.job.value, start.attempt, job->attempt,
                                            holds_anything(*job) ? "runs" : "was its last"));
  }
  const bool told =
      std::any_of(decisions.transitions.begin(), decisions.transitions.end(),
                  [&](const Transition& transition) {
                    return transition.job == start.job && transition.to == JobState::Starting;
                  });
  if (!told) {
    report(Invariant::LegalTransition, fmt::format("job {} starts without going to {}",
                                                   start.job.value, to_string(JobState::Starting)));
  }
  check_gang(start, *job);
  job->attempt = start.attempt;
  job->placement = start.placement;
  job->attempts.assign(start.placement.size(), start.attempt);
  job->ranks.assign(start.placement.size(), TaskState::Starting);
  for (const TaskPlacement& task : start.placement) allocate(task);
}

void Books::take(const StopGang& stop) {
  const JobBook* job = find(stop.job);
  if (job != nullptr && is_placed(job->state)) return;
  report(Invariant::LegalTransition,
         fmt::format("job {} is stopped, but not placed", stop.job.value));
}

/// One task alone, in the place of one that was lost; the others stay where they are.
void Books::take(const ReplaceTask& anew) {
  JobBook* job = writable(anew.job);
  const auto rank = static_cast<std::size_t>(anew.task.rank);
  const bool placed = job != nullptr && is_placed(job->state) && !is_stopping(*job);
  if (!placed || rank == 0 || rank >= job->ranks.size() || !job->repaired_in_place) {
    return report(Invariant::GangWhole,
                  fmt::format("task {} of job {} is started by itself, which nobody asks for",
                              anew.task.rank, anew.job.value));
  }
  if (job->ranks[rank] != TaskState::Ended || anew.attempt != job->attempt + 1) {
    report(Invariant::RunsOnce,
           fmt::format("task {} of job {} starts attempt {} after attempt {}, "
                       "while it {}",
                       rank, anew.job.value, anew.attempt, job->attempt,
                       job->ranks[rank] == TaskState::Ended ? "has ended" : "runs"));
  }
  for (const TaskPlacement& other : job->placement) {
    if (other.node != anew.task.node) continue;
    report(Invariant::GangDistinctNodes,
           fmt::format("task {} of job {} starts on node {}, where task {} is or was", rank,
                       anew.job.value, anew.task.node.value, other.rank));
  }
  check_place(anew.job, *job, anew.task, job->placement.front().node);
  job->attempt = anew.attempt;
  job->attempts[rank] = anew.attempt;
  job->placement[rank] = anew.task;
  job->ranks[rank] = TaskState::Starting;
  allocate(anew.task);
}

void Books::set_quarantined(NodeId node, bool quarantined) {
  if (node.value < nodes_.size()) nodes_[node.value].quarantined = quarantined;
}

/// The hardware is touched where nothing runs and nothing will start.
void Books::check_repair(NodeId id) {
  if (id.value >= nodes_.size()) return;
  const NodeBook& node = nodes_[id.value];
  bool free = node.cpu_free == node.spec.cpu && node.memory_free == node.spec.memory;
  for (std::int32_t i = 0; i < node.spec.gpus; ++i) {
    free = free && node.gpu_free[static_cast<std::size_t>(i)] == kWholeGpu.value;
  }
  if (free && node.up && !node.silent && node.quarantined) return;
  report(Invariant::NodeUp,
         fmt::format("node {} is repaired while it is in service, away or in use", id.value));
}

void Books::check_gang(const StartGang& start, const JobBook& job) {
  const auto wanted = static_cast<std::size_t>(task_count(job.tasks));
  if (start.placement.size() != wanted) {
    report(Invariant::GangWhole, fmt::format("{} of the {} tasks of job {} start",
                                             start.placement.size(), wanted, start.job.value));
  }
  std::set<NodeId> nodes;
  for (std::size_t i = 0; i < start.placement.size(); ++i) {
    const TaskPlacement& task = start.placement[i];
    if (task.rank != static_cast<std::int32_t>(i)) {
      report(Invariant::GangWhole, fmt::format("task {} of job {} starts in place of task {}",
                                               task.rank, start.job.value, i));
    }
    if (!nodes.insert(task.node).second) {
      report(Invariant::GangDistinctNodes,
             fmt::format("two tasks of job {} start on node {}", start.job.value, task.node.value));
    }
    check_place(start.job, job, task, start.placement.front().node);
  }
}

/// `first`: the node of task 0.
void Books::check_place(JobId id, const JobBook& job, const TaskPlacement& task, NodeId first) {
  const NodeId node = task.node;
  if (node.value >= nodes_.size() || !nodes_[node.value].open()) {
    return report(Invariant::NodeUp, fmt::format("job {} starts on node {}, which takes no tasks",
                                                 id.value, node.value));
  }
  const Request* request = request_of(job, task.rank);
  if (request != nullptr) check_task(task, *request, job);
  if (!may_take(job, node)) {
    report(Invariant::PlacementKept,
           fmt::format("job {} starts on node {}, which its placement rules forbid", id.value,
                       node.value));
  }
  if (job.topology && job.topology->required && first.value < nodes_.size() &&
      !together(job.topology->level, first.value, node.value)) {
    report(Invariant::GangTogether,
           fmt::format("job {} starts on nodes {} and {}, which are not in one {}", id.value,
                       first.value, node.value, to_string(job.topology->level)));
  }
}

std::map<GroupId, std::map<NodeId, std::int32_t>> Books::groups() const {
  std::map<GroupId, std::map<NodeId, std::int32_t>> groups;
  for (const JobId id : placed_) {
    const JobBook& job = jobs_.at(id);
    for (std::size_t i = 0; !job.group.empty() && i < job.placement.size(); ++i) {
      if (job.ranks[i] == TaskState::Ended) continue;
      ++groups[group_id(job.tenant, job.group)][job.placement[i].node];
    }
  }
  return groups;
}

bool Books::is_room_made_for(JobId id) const {
  return std::any_of(placed_.begin(), placed_.end(),
                     [&](JobId other) { return jobs_.at(other).preempted_for == id; });
}

std::vector<Books::NodeBook> Books::nodes_once_stopped() const {
  std::vector<NodeBook> nodes = nodes_;
  for (const JobId id : placed_) {
    const JobBook& job = jobs_.at(id);
    for (std::size_t i = 0; is_stopping(job) && i < job.placement.size(); ++i) {
      if (job.ranks[i] != TaskState::Ended) give_back(job.placement[i], nodes);
    }
  }
  return nodes;
}

bool Books::may_take(const JobBook& job, NodeId node, Holding holding) const {
  if (!job.rules || (job.rules->max_per_node == 0 && job.rules->apart.empty())) return true;
  std::int32_t own = 0;
  std::int32_t others = 0;
  for (const auto& id : placed_) {
    const JobBook& other = jobs_.at(id);
    if (other.group.empty() || other.tenant != job.tenant) continue;
    if (holding == Holding::AllNotStopping && is_stopping(other)) continue;
    for (std::size_t i = 0; i < other.placement.size(); ++i) {
      if (other.placement[i].node != node || other.ranks[i] == TaskState::Ended) continue;
      own += other.group == job.group ? 1 : 0;
      others += other.group == job.rules->apart ? 1 : 0;
    }
  }
  return others == 0 && (job.rules->max_per_node == 0 || own < job.rules->max_per_node);
}

bool Books::together(TopologyLevel level, std::size_t a, std::size_t b) const {
  if (a == b) return true;
  const Location& one = nodes_[a].spec.location;
  const Location& other = nodes_[b].spec.location;
  if (one.at(level).empty()) return false;
  for (std::size_t i = 0; i <= static_cast<std::size_t>(level); ++i) {
    if (one.at(static_cast<TopologyLevel>(i)) != other.at(static_cast<TopologyLevel>(i))) {
      return false;
    }
  }
  return true;
}

void Books::check_task(const TaskPlacement& task, const Request& request, const JobBook& job) {
  const NodeBook& node = nodes_[task.node.value];
  const Allocation& got = task.allocation;
  const bool amounts = std::popcount(got.devices) == request.gpus &&
                       (request.gpus == 0 || got.gpu_milli == request.gpu_milli) &&
                       got.cpu == request.cpu && got.memory == request.memory;
  const bool devices_exist = (got.devices >> node.spec.gpus) == 0;
  const bool in_partition = partition_of(job.queue) == node.spec.partition;
  if (amounts && devices_exist && in_partition && is_wanted(node.spec, request)) return;
  report(Invariant::RequestHonoured,
         fmt::format("a task that asks for {} GPUs ({} milli), {} mCPU, {} MiB got devices {:#x} "
                     "({} milli), {} mCPU, {} MiB on {}",
                     request.gpus, request.gpu_milli.value, request.cpu.value, request.memory.value,
                     got.devices, got.gpu_milli.value, got.cpu.value, got.memory.value,
                     node.spec.name));
}

void Books::allocate(const TaskPlacement& task) {
  if (task.node.value >= nodes_.size()) return;
  NodeBook& node = nodes_[task.node.value];
  for (std::size_t i = 0; i < node.gpu_free.size(); ++i) {
    if ((task.allocation.devices >> i & 1U) == 0) continue;
    node.gpu_free[i] -= task.allocation.gpu_milli.value;
    if (node.gpu_free[i] >= 0) continue;
    report(Invariant::GpuOvercommit, fmt::format("GPU {} of {} gives {} thousandths too many", i,
                                                 node.spec.name, -node.gpu_free[i]));
  }
  node.cpu_free -= task.allocation.cpu;
  node.memory_free -= task.allocation.memory;
  if (node.cpu_free.value < 0) {
    report(Invariant::CpuOvercommit,
           fmt::format("{} gives {} mCPU too many", node.spec.name, -node.cpu_free.value));
  }
  if (node.memory_free.value < 0) {
    report(Invariant::MemoryOvercommit,
           fmt::format("{} gives {} MiB too many", node.spec.name, -node.memory_free.value));
  }
}

void Books::release(JobBook& job, std::size_t rank) {
  if (job.ranks[rank] == TaskState::Ended) return;
  job.ranks[rank] = TaskState::Ended;
  give_back(job.placement[rank], nodes_);
}

void Books::give_back(const TaskPlacement& task, std::vector<NodeBook>& nodes) {
  if (task.node.value >= nodes.size()) return;
  NodeBook& node = nodes[task.node.value];
  for (std::size_t i = 0; i < node.gpu_free.size(); ++i) {
    if ((task.allocation.devices >> i & 1U) != 0) {
      node.gpu_free[i] += task.allocation.gpu_milli.value;
    }
  }
  node.cpu_free += task.allocation.cpu;
  node.memory_free += task.allocation.memory;
}

}  // namespace gyre::sim
