#include "server/api/work_thread.h"

#include <utility>

namespace gyre::server {

WorkThread::WorkThread(std::size_t tasks_max)
    : tasks_max_(tasks_max), thread_([this] { work(); }) {}

WorkThread::~WorkThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool WorkThread::has_room() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size() + (working_ ? 1 : 0) < tasks_max_;
}

bool WorkThread::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + (working_ ? 1 : 0) >= tasks_max_) return false;
    waiting_.push_back(std::move(task));
  }
  changed_.notify_all();
  return true;
}

void WorkThread::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (ending_) return;
    Task task = std::move(waiting_.front());
    waiting_.pop_front();
    working_ = true;
    lock.unlock();
    task();
    task = nullptr;  // what it holds goes here, too
    lock.lock();
    working_ = false;
  }
}

}  // namespace gyre::server
