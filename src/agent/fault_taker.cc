#include "agent/fault_taker.h"

#include <algorithm>
#include <chrono>

#include "agent/boot_clock.h"
#include "domain/live_chaos.h"

namespace gyre::agent {
namespace {

using Kind = ChaosFault::Kind;

}  // namespace

FaultTaker::FaultTaker(act::NodeBreaker& breaker, act::DiskFiller& disk, CutDialer& dialer)
    : breaker_(breaker), disk_(disk), dialer_(dialer), watcher_([this] { watch(); }) {}

FaultTaker::~FaultTaker() {
  {
    const std::lock_guard guard(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  watcher_.join();
  mend();
  speed_up();
}

std::vector<act::FaultAbility> FaultTaker::able() const {
  std::vector<act::FaultAbility> all;
  for (const Kind kind : {Kind::KillTask, Kind::HangTask, Kind::PauseAgent, Kind::RestartAgent,
                          Kind::CutNode, Kind::KillNode, Kind::BreakGpu, Kind::SlowNetwork}) {
    all.push_back({kind, ""});
  }
  all.push_back({Kind::FillDisk, disk_.obstacle()});
  return all;
}

Result<void> FaultTaker::obey(const act::FaultOrder& order) {
  const std::lock_guard guard(mutex_);
  if (order.mend) {
    if (lasting_ && lasting_->order.id == order.id) mend();
    if (slow_ && slow_->order.id == order.id) speed_up();
    return {};
  }
  if (order.lasts.ns < 0 || order.lasts > kLiveFaultMax) {
    return fail(ErrorKind::Invalid, "a fault may not last that long here");
  }
  if (order.kind == Kind::SlowNetwork) {
    dialer_.slow_down(order.network, order.id);
    slow_ = Lasting{order, boot_clock() + order.lasts};
    changed_.notify_all();
    return {};
  }
  if (lasting_) return fail(ErrorKind::Conflict, "another fault lasts on this node");
  if (auto begun = begin(order); !begun) return begun;
  lasting_ = Lasting{order, boot_clock() + order.lasts};
  changed_.notify_all();
  return {};
}

Result<void> FaultTaker::begin(const act::FaultOrder& order) {
  const bool of_task = order.kind == Kind::KillTask || order.kind == Kind::HangTask;
  if (of_task && !order.task) return fail(ErrorKind::Invalid, "no task is named");
  switch (order.kind) {
    case Kind::KillTask:
      return breaker_.kill_task(*order.task);
    case Kind::HangTask:
      return breaker_.hang_task(*order.task, order.lasts);
    case Kind::PauseAgent:
      return breaker_.pause(order.lasts);
    case Kind::RestartAgent:
      return breaker_.restart(order.lasts, false);
    case Kind::KillNode:
      return breaker_.restart(order.lasts, true);
    case Kind::BreakGpu:
      for (const act::TaskKey& task : order.tasks) {
        // One that has ended meanwhile does not run on it either.
        static_cast<void>(breaker_.kill_task(task));
      }
      return {};
    case Kind::FillDisk:
      return disk_.fill(order.lasts);
    case Kind::CutNode:
      dialer_.cut(order.way);
      return {};
    default:
      return fail(ErrorKind::Unsupported, "this node's agent cannot do that");
  }
}

/// Requires: the lock is held, or nobody else is there.
void FaultTaker::mend() {
  if (!lasting_) return;
  const act::FaultOrder& order = lasting_->order;
  if (order.kind == Kind::HangTask) breaker_.resume_task(*order.task);
  if (order.kind == Kind::CutNode) dialer_.join();
  if (order.kind == Kind::FillDisk) disk_.empty();
  lasting_.reset();
}

/// Requires: as mend().
void FaultTaker::speed_up() {
  if (slow_) dialer_.speed_up();
  slow_.reset();
}

void FaultTaker::watch() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const Time now = boot_clock();
    if (lasting_ && now >= lasting_->until) mend();
    if (slow_ && now >= slow_->until) speed_up();
    Time next = Time::max();
    if (lasting_) next = lasting_->until;
    if (slow_) next = std::min(next, slow_->until);
    if (next == Time::max()) {
      changed_.wait(lock);
    } else {
      changed_.wait_for(lock, std::chrono::nanoseconds((next - now).ns));
    }
  }
}

}  // namespace gyre::agent
