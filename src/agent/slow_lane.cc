#include "agent/slow_lane.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "agent/boot_clock.h"

namespace gyre::agent {

void SlowLane::end() {
  {
    const std::lock_guard guard(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void SlowLane::pass(Duration delay, std::function<void()> word) {
  {
    const std::lock_guard guard(mutex_);
    if (stop_) return;
    if (delay.ns > 0 || busy_ || !words_.empty()) {
      Time due = boot_clock() + delay;
      if (!words_.empty()) due = std::max(due, words_.back().due);
      words_.push_back({due, std::move(word)});
      if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
      changed_.notify_all();
      return;
    }
  }
  word();
}

std::size_t SlowLane::waiting() const {
  const std::lock_guard guard(mutex_);
  return words_.size();
}

void SlowLane::work() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (words_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const Time now = boot_clock();
    if (words_.front().due > now) {
      changed_.wait_for(lock, std::chrono::nanoseconds((words_.front().due - now).ns));
      continue;
    }
    const std::function<void()> word = std::move(words_.front().pass);
    words_.pop_front();
    busy_ = true;
    lock.unlock();
    word();
    lock.lock();
    busy_ = false;
  }
}

}  // namespace gyre::agent
