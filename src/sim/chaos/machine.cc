#include "sim/chaos/machine.h"

#include <algorithm>
#include <csignal>
#include <string>
#include <string_view>

namespace gyre::sim {
namespace {

constexpr SpanRange kStartTakes{milliseconds(20), seconds(20)};
constexpr SpanRange kStopTakes{milliseconds(1), seconds(20)};
constexpr Duration kDiesOnBrokenGpu = seconds(1);
constexpr Duration kStallWindow = seconds(600);
constexpr SpanRange kRepairTakes{seconds(1), seconds(300)};
constexpr std::int32_t kResetHelpsPercent = 80;
constexpr std::int32_t kWritesPercent = 50;  // of tasks, when their disk fails
constexpr std::string_view kNoRoom = "the disk takes nothing";

TaskExit killed_by(int signal) { return {TaskExit::Kind::Signaled, signal, false, ""}; }

}  // namespace

void Machine::obey(const Order& order, Time now) {
  const auto found = tasks_.find(order.key);
  switch (order.kind) {
    case Order::Kind::Start:
      if (found == tasks_.end()) return start(order, now);
      if (plant_ == ChaosPlant::StartRepeated && found->second.phase != Phase::Ended) {
        truth_.begin(order.key, id_, order, now);  // nobody will ever look after the second one
      }
      return;
    case Order::Kind::Stop:
      if (found != tasks_.end()) stop(order.key, found->second, now);
      return;
    case Order::Kind::Release:
      if (found != tasks_.end() && found->second.phase == Phase::Ended) tasks_.erase(found);
      return;
    case Order::Kind::Repair:
      return repair(order, now);
    case Order::Kind::Discard:
      if (found == tasks_.end() || plant_ == ChaosPlant::OrphanKept) return;
      if (found->second.phase != Phase::Ended) {
        end(order.key, found->second, killed_by(SIGKILL), now);
        news_.pop_back();
      }
      tasks_.erase(found);
  }
}

/// One that is known is not begun anew, and none is while a task runs.
void Machine::repair(const Order& order, Time now) {
  const bool known = repair_ && repair_->id == order.repair_id;
  if (known && !repair_->good) return;
  if (!known) {
    repair_ = RepairRecord{order.repair_id, order.repair, now + draw(kRepairTakes, rng_), {}};
    if (timers_.empty()) return;
    repair_->good = false;
  }
  end_repair(*repair_->good);
}

void Machine::end_repair(bool good) {
  repair_->good = good;
  Report report;
  report.repaired = repair_->id;
  report.good = good;
  news_.push_back(report);
}

void Machine::start(const Order& order, Time now) {
  Task& task = tasks_[order.key];
  task.order = order;
  const Time starts_at = now + draw(kStartTakes, rng_);
  set_due(order.key, task, starts_at + disk_takes());
}

void Machine::stop(const TaskKey& key, Task& task, Time now) {
  if (task.phase == Phase::Ended || task.phase == Phase::Stopping) return;
  const Duration takes = draw(kStopTakes, rng_);
  const Time ends_at = now + takes + disk_takes();
  if (task.phase == Phase::Running && !task.hangs && task.due <= ends_at) {
    task.exit.stopped = true;  // it is done before that
  } else {
    task.exit = task.ran ? killed_by(SIGTERM) : TaskExit{TaskExit::Kind::StartFailed, 0, false, ""};
    task.exit.stopped = true;
    set_due(key, task, ends_at);
  }
  task.phase = Phase::Stopping;
}

void Machine::wake(Time now) {
  if (plant_ == ChaosPlant::LeaseIgnored) lease_until_ = Time::max();
  if (lease_until_ <= now) {
    while (!timers_.empty()) {
      const TaskKey key = timers_.begin()->second;
      TaskExit exit{TaskExit::Kind::Lost, 0, false, "the node's lease is over"};
      end(key, tasks_.at(key), exit, std::min(now, lease_until_));
    }
  }
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const TaskKey key = timers_.begin()->second;
    advance(key, now);
  }
  if (!repair_ || repair_->good || repair_->due > now) return;
  if (repair_->repair == Repair::Reboot) {
    power_off(now);
    broken_until_ = now;
    reboots_ = true;
    return;
  }
  const bool helped = repair_->repair == Repair::Reset && chance(kResetHelpsPercent, rng_);
  if (helped) broken_until_ = now;
  end_repair(repair_->repair == Repair::BurnIn ? now >= broken_until_ : helped);
}

std::optional<Time> Machine::next() const {
  std::optional<Time> first;
  if (!timers_.empty()) first = std::min(timers_.begin()->first, lease_until_);
  if (repair_ && !repair_->good) first = std::min(first.value_or(Time::max()), repair_->due);
  return first;
}

void Machine::advance(const TaskKey& key, Time now) {
  Task& task = tasks_.at(key);
  if (task.phase == Phase::Running && task.hangs) {
    // It is told again and again: whoever is to hear it may be away.
    news_.push_back({key, true, std::nullopt, kStallWindow});
    return set_due(key, task, now + kStallWindow);
  }
  if (task.phase != Phase::Starting) return end(key, task, task.exit, now);
  if (!can_write()) {
    return end(key, task, {TaskExit::Kind::StartFailed, 0, false, std::string(kNoRoom)}, now);
  }
  task.phase = Phase::Running;
  task.ran = true;
  task.began = now;
  task.plan = truth_.plan(key.job);
  task.exit = task.plan.exit;
  truth_.begin(key, id_, task.order, now);
  news_.push_back({key, true, std::nullopt, {}});
  if (on_broken_gpu(task, now)) {
    task.exit = killed_by(SIGABRT);
    return set_due(key, task, now + kDiesOnBrokenGpu);
  }
  set_due(key, task, saturating_add(now, task.plan.left));
}

void Machine::end(const TaskKey& key, Task& task, const TaskExit& exit, Time now) {
  timers_.erase({task.due, key});
  if (task.ran) {
    const Duration worked = std::min(now - task.began, task.plan.left);
    truth_.end(key, id_, task.order, exit, worked, now);
  }
  task.phase = Phase::Ended;
  task.exit = exit;
  if (task.ran && disk_ == Disk::Broken) {
    task.exit = {TaskExit::Kind::Lost, 0, exit.stopped, "the disk did not keep how it ended"};
  }
  news_.push_back({key, task.ran, task.exit, {}});
}

Duration Machine::disk_takes() {
  return disk_ == Disk::Slow ? draw(slower_by_, rng_) : Duration{0};
}

void Machine::set_disk(Disk disk, SpanRange slower_by, Time now) {
  disk_ = disk;
  slower_by_ = slower_by;
  if (can_write()) return;
  std::vector<TaskKey> writing;
  for (const auto& [at, key] : timers_) {
    if (tasks_.at(key).ran) writing.push_back(key);
  }
  for (const TaskKey& key : writing) {
    if (!chance(kWritesPercent, rng_)) continue;
    end(key, tasks_.at(key), {TaskExit::Kind::Exited, 1, false, std::string(kNoRoom)}, now);
  }
}

void Machine::set_due(const TaskKey& key, Task& task, Time due) {
  timers_.erase({task.due, key});
  task.due = due;
  timers_.emplace(due, key);
}

std::optional<Machine::Look> Machine::look(const TaskKey& key) const {
  const auto found = tasks_.find(key);
  if (found == tasks_.end() || found->second.phase == Phase::Ended || !found->second.ran) {
    return std::nullopt;
  }
  const Task& task = found->second;
  return Look{task.hangs, saturating_add(task.began, task.plan.ready_after)};
}

std::vector<Report> Machine::take_news() { return std::exchange(news_, {}); }

std::vector<Report> Machine::hello() const {
  std::vector<Report> all;
  for (const auto& [key, task] : tasks_) {
    const bool ended = task.phase == Phase::Ended;
    all.push_back({key, task.ran, ended ? std::optional(task.exit) : std::nullopt, {}});
  }
  return all;
}

void Machine::power_off(Time now) {
  while (!timers_.empty()) {
    const TaskKey key = timers_.begin()->second;
    end(key, tasks_.at(key), killed_by(SIGKILL), now);
  }
  tasks_.clear();
  news_.clear();
  // What was underway is not known, but that it has come up again.
  if (repair_ && !repair_->good) repair_->good = repair_->repair == Repair::Reboot;
}

void Machine::kill_some_task(std::uint64_t which, Time now) {
  if (const auto key = some_running(which)) end(*key, tasks_.at(*key), killed_by(SIGKILL), now);
}

void Machine::hang_some_task(std::uint64_t which, Time now) {
  const auto key = some_running(which);
  if (!key || tasks_.at(*key).phase != Phase::Running) return;
  Task& task = tasks_.at(*key);
  task.hangs = true;
  set_due(*key, task, now + kStallWindow);
}

std::optional<TaskKey> Machine::some_running(std::uint64_t which) const {
  std::vector<TaskKey> running;
  for (const auto& [at, key] : timers_) {
    if (tasks_.at(key).ran) running.push_back(key);
  }
  if (running.empty()) return std::nullopt;
  return running[which % running.size()];
}

void Machine::break_gpu(std::uint64_t which, std::int64_t gpus, Time until, Time now) {
  if (gpus == 0) return;
  broken_ = static_cast<std::uint16_t>(1U << (which % static_cast<std::uint64_t>(gpus)));
  broken_until_ = until;
  std::vector<TaskKey> hit;
  for (const auto& [at, key] : timers_) {
    const Task& task = tasks_.at(key);
    if (task.ran && on_broken_gpu(task, now)) hit.push_back(key);
  }
  for (const TaskKey& key : hit) end(key, tasks_.at(key), killed_by(SIGABRT), now);
}

bool Machine::on_broken_gpu(const Task& task, Time now) const {
  return now < broken_until_ && (task.order.devices & broken_) != 0;
}

}  // namespace gyre::sim
