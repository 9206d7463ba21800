#include "agent/first_words.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace gyre::agent {
namespace {

constexpr int kLooksWhileAsOld = 20;

std::chrono::nanoseconds pause_of(std::chrono::nanoseconds age) {
  return std::max(std::chrono::nanoseconds(FirstWords::kLook.ns), age / kLooksWhileAsOld);
}

Duration duration_of(std::chrono::nanoseconds time) { return Duration{time.count()}; }

}  // namespace

FirstWords::FirstWords(const act::TaskLogs& logs, Tell tell)
    : logs_(logs), tell_(std::move(tell)), worker_([this] { work(); }) {}

FirstWords::~FirstWords() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  worker_.join();
}

void FirstWords::began(const act::TaskKey& key) {
  {
    const std::lock_guard lock(mutex_);
    if (awaited_.size() == kTasksMax) return;
    const auto now = Clock::now();
    awaited_.try_emplace(key, Awaited{now, now + pause_of({})});
  }
  changed_.notify_all();
}

void FirstWords::ended(const act::TaskKey& key) {
  {
    const std::lock_guard lock(mutex_);
    if (!awaited_.contains(key)) return;
  }
  look(key, Clock::now());
  const std::lock_guard lock(mutex_);
  awaited_.erase(key);
}

void FirstWords::work() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    changed_.wait(lock, [this] { return ending_ || !awaited_.empty(); });
    changed_.wait_for(lock, std::chrono::nanoseconds(kLook.ns), [this] { return ending_; });
    const auto now = Clock::now();
    std::vector<act::TaskKey> due;
    for (auto& [key, task] : awaited_) {
      if (task.next > now) continue;
      task.next = now + pause_of(now - task.began);
      due.push_back(key);
    }
    lock.unlock();
    for (const act::TaskKey& key : due) look(key, now);
    lock.lock();
  }
}

/// Who takes the task out tells of it.
void FirstWords::look(const act::TaskKey& key, Clock::time_point now) {
  if (!has_output(key)) return;
  std::optional<Duration> after;
  {
    const std::lock_guard lock(mutex_);
    const auto task = awaited_.find(key);
    if (task == awaited_.end()) return;
    after = duration_of(std::max(now - task->second.began, Clock::duration{0}));
    awaited_.erase(task);
  }
  tell_(key, *after);
}

bool FirstWords::has_output(const act::TaskKey& key) const {
  for (const auto stream : {act::LogStream::Stdout, act::LogStream::Stderr}) {
    const auto chunk = logs_.read({.job = key.job,
                                   .attempt = key.attempt,
                                   .rank = key.rank,
                                   .stream = stream,
                                   .offset = 0,
                                   .bytes_max = 1});
    if (chunk && chunk->size > 0) return true;
  }
  return false;
}

}  // namespace gyre::agent
