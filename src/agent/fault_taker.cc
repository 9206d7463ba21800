#include "agent/fault_taker.h"

#include <algorithm>
#include <chrono>

#include "agent/boot_clock.h"
#include "domain/live_chaos.h"

namespace gyre::agent {
namespace {

using Kind = ChaosFault::Kind;

}  // namespace

FaultTaker::FaultTaker(act::NodeBreaker& breaker, CutDialer& dialer)
    : breaker_(breaker), dialer_(dialer), watcher_([this] { watch(); }) {}

FaultTaker::~FaultTaker() {
  {
    const std::lock_guard guard(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  watcher_.join();
  mend();
}

Result<void> FaultTaker::obey(const act::FaultOrder& order) {
  const std::lock_guard guard(mutex_);
  if (order.mend) {
    if (lasting_ && lasting_->id == order.id) mend();
    return {};
  }
  if (order.lasts.ns < 0 || order.lasts > kLiveFaultMax) {
    return fail(ErrorKind::Invalid, "a fault may not last that long here");
  }
  if (lasting_) return fail(ErrorKind::Conflict, "another fault lasts on this node");
  if (auto begun = begin(order); !begun) return begun;
  lasting_ = order;
  until_ = boot_clock() + order.lasts;
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
      return breaker_.restart(order.lasts);
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
  if (lasting_->kind == Kind::HangTask) breaker_.resume_task(*lasting_->task);
  if (lasting_->kind == Kind::CutNode) dialer_.join();
  lasting_.reset();
}

void FaultTaker::watch() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (!lasting_) {
      changed_.wait(lock);
      continue;
    }
    const Time now = boot_clock();
    if (now >= until_) {
      mend();
      continue;
    }
    changed_.wait_for(lock, std::chrono::nanoseconds((until_ - now).ns));
  }
}

}  // namespace gyre::agent
