#include "sim/chaos/dispatcher.h"

#include <algorithm>
#include <set>
#include <utility>

namespace gyre::sim {

void Dispatcher::recover() {
  tasks_.clear();
  nodes_.clear();
  orders_.clear();
  events_.clear();
  for (const Node& node : core_.cluster().nodes()) nodes_.push_back({node.up, node.silent});
  core_.jobs().for_each([this](const Job& job) {
    if (is_placed(job.state)) remember(job);
  });
}

/// Nobody is there yet; each node is told when it says hello.
void Dispatcher::remember(const Job& job) {
  for (const TaskPlacement& placed : job.placement) {
    const TaskState state = job.tasks[static_cast<std::size_t>(placed.rank)];
    if (state == TaskState::Ended) continue;
    Task& task = add(job, placed);
    task.started = state == TaskState::Running;
    task.stopped = job.state == JobState::Preempting || job.state == JobState::Stopping;
  }
}

Dispatcher::Task& Dispatcher::add(const Job& job, const TaskPlacement& placed) {
  const TaskKey key{job.id, attempt_of(job, placed.rank), placed.rank};
  Task& task = tasks_[key];
  task.node = placed.node.value;
  task.order = {
      Order::Kind::Start, key, placed.allocation.devices, placed.allocation.gpu_milli.value, {},
      Repair::None};
  if (plant_ == ChaosPlant::DeviceZero && task.order.devices != 0) task.order.devices = 1;
  return task;
}

void Dispatcher::submit(const Command& command) {
  if (const auto* to_start = std::get_if<StartGang>(&command.body)) return start(*to_start);
  if (const auto* anew = std::get_if<ReplaceTask>(&command.body)) return replace(*anew);
  if (const auto* to_stop = std::get_if<StopGang>(&command.body)) return stop(*to_stop);
  if (const auto* to_repair = std::get_if<RepairNode>(&command.body)) repair(to_repair->node);
}

void Dispatcher::repair(NodeId node) {
  const auto& underway = core_.healer().health(node).underway;
  if (!underway) return;  // overtaken within its own batch
  const Order order{Order::Kind::Repair, {}, 0, 0, underway->command, underway->repair};
  orders_.push_back({node.value, order});
}

void Dispatcher::start(const StartGang& command) {
  const Job* job = core_.jobs().find(command.job);
  if (job == nullptr || !is_placed(job->state)) return;  // overtaken within its own batch
  for (const TaskPlacement& placed : job->placement) {
    if (attempt_of(*job, placed.rank) == command.attempt) start_task(*job, placed);
  }
}

void Dispatcher::replace(const ReplaceTask& command) {
  const Job* job = core_.jobs().find(command.job);
  const bool due = job != nullptr && is_placed(job->state) &&
                   attempt_of(*job, command.task.rank) == command.attempt;
  if (due) start_task(*job, job->placement[static_cast<std::size_t>(command.task.rank)]);
}

void Dispatcher::start_task(const Job& job, const TaskPlacement& placed) {
  if (job.tasks[static_cast<std::size_t>(placed.rank)] != TaskState::Starting) return;
  if (tasks_.count({job.id, attempt_of(job, placed.rank), placed.rank}) != 0)
    return;  // seen before
  const Task& task = add(job, placed);
  orders_.push_back({task.node, task.order});
}

/// All of its tasks, whatever attempt each is of.
void Dispatcher::stop(const StopGang& command) {
  const Job* job = core_.jobs().find(command.job);
  if (job == nullptr || job->attempt != command.attempt) return;  // overtaken
  for (auto at = tasks_.lower_bound({command.job, 0, 0});
       at != tasks_.end() && at->first.job == command.job; ++at) {
    at->second.stopped = true;
    if (!at->second.ended) order(at->second.node, Order::Kind::Stop, at->first);
  }
}

void Dispatcher::hello(std::uint32_t node, const std::vector<Report>& tasks) {
  std::set<TaskKey> there;
  for (const Report& one : tasks) {
    const auto known = tasks_.find(one.key);
    if (known == tasks_.end() || known->second.node != node) {
      order(node, Order::Kind::Discard, one.key);
      continue;
    }
    there.insert(one.key);
    if (known->second.ended) continue;
    tell(one.key, known->second, one);
    if (known->second.stopped && !one.exit) order(node, Order::Kind::Stop, one.key);
  }
  for (auto& [key, task] : tasks_) {
    if (task.node == node && !task.ended && there.count(key) == 0) miss(key, task);
  }
  NodeView& view = nodes_[node];
  repair(NodeId{node});
  if (!view.up) events_.emplace_back(NodeReturned{NodeId{node}});
  if (view.silent) events_.emplace_back(NodeContact{NodeId{node}, false});
  view = {};
}

/// The node is there and has no such task.
void Dispatcher::miss(const TaskKey& key, Task& task) {
  if (!task.started && !task.stopped) {
    orders_.push_back({task.node, task.order});
  } else if (plant_ != ChaosPlant::MissingUnnoticed) {
    TaskExit exit{TaskExit::Kind::Lost, 0, false, "the node does not know it"};
    if (!task.started) exit = {TaskExit::Kind::StartFailed, 0, true, ""};
    tell(key, task, {key, false, exit, {}});
  }
}

void Dispatcher::report(std::uint32_t node, const Report& report) {
  if (report.repaired) {
    events_.emplace_back(RepairEnded{NodeId{node}, *report.repaired, report.good, ""});
    return;
  }
  const auto known = tasks_.find(report.key);
  if (known == tasks_.end()) return order(node, Order::Kind::Discard, report.key);
  tell(report.key, known->second, report);
}

/// The core hears even what it has heard before: it must know better.
void Dispatcher::tell(const TaskKey& key, Task& task, const Report& report) {
  if (report.started) {
    task.started = true;
    events_.emplace_back(TaskStarted{key.job, key.attempt, key.rank, {}});
  }
  if (report.idle.ns > 0) {
    events_.emplace_back(TaskStalled{key.job, key.attempt, key.rank, report.idle});
  }
  if (!report.exit) return;
  task.ended = true;
  events_.emplace_back(TaskEnded{key.job, key.attempt, key.rank, *report.exit});
}

void Dispatcher::silent(std::uint32_t node) {
  if (!nodes_[node].up || nodes_[node].silent) return;
  nodes_[node].silent = true;
  events_.emplace_back(NodeContact{NodeId{node}, true});
}

void Dispatcher::lost(std::uint32_t node) {
  if (!nodes_[node].up) return;
  nodes_[node] = {false, false};
  events_.emplace_back(NodeLost{NodeId{node}, "not heard for longer than its lease"});
  for (auto at = tasks_.begin(); at != tasks_.end();) {
    at = at->second.node == node ? tasks_.erase(at) : std::next(at);
  }
}

void Dispatcher::committed(const TaskKey& key) {
  const auto known = tasks_.find(key);
  if (known == tasks_.end()) return;
  order(known->second.node, Order::Kind::Release, key);
  tasks_.erase(known);
}

void Dispatcher::order(std::uint32_t node, Order::Kind kind, const TaskKey& key) {
  orders_.push_back({node, Order{kind, key, 0, 0, {}, Repair::None}});
}

}  // namespace gyre::sim
