#include "server/trace/first_output.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "live/clock.h"

namespace gyre::server {

FirstOutput::FirstOutput(const act::TaskLogs& logs, observe::SpanSink& sink)
    : logs_(logs), sink_(sink), worker_([this] { work(); }) {}

FirstOutput::~FirstOutput() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  worker_.join();
}

void FirstOutput::watch(const act::TaskKey& key, const TraceContext& context, Time began) {
  {
    const std::lock_guard lock(mutex_);
    if (awaited_.size() == kTasksMax) return;
    awaited_.push_back({key, context, began, std::nullopt});
  }
  changed_.notify_all();
}

void FirstOutput::ended(const act::TaskKey& key, Time at) {
  const std::lock_guard lock(mutex_);
  for (Awaited& task : awaited_) {
    if (task.key == key) task.over = at;
  }
}

void FirstOutput::work() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    changed_.wait(lock, [this] { return ending_ || !awaited_.empty(); });
    changed_.wait_for(lock, std::chrono::nanoseconds(kLook.ns), [this] { return ending_; });
    std::deque<Awaited> looked_at = std::exchange(awaited_, {});
    lock.unlock();
    std::vector<observe::Span> spans;
    const auto done = [&](const Awaited& task) {
      const bool found = has_output(task.key);
      if (found) spans.push_back(told(task));
      return found || task.over.has_value();
    };
    looked_at.erase(std::remove_if(looked_at.begin(), looked_at.end(), done), looked_at.end());
    sink_.take(std::move(spans));
    lock.lock();
    awaited_.insert(awaited_.begin(), looked_at.begin(), looked_at.end());
  }
}

bool FirstOutput::has_output(const act::TaskKey& key) const {
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

observe::Span FirstOutput::told(const Awaited& task) const {
  observe::Span span;
  span.context = task.context;
  span.context.span = derived_span(task.context, "first output");
  span.parent = task.context.span;
  span.name = "first output";
  span.begin = task.began;
  const Time seen = live::system_clock_source()().real;
  span.end = std::max(task.began, task.over ? std::min(*task.over, seen) : seen);
  return span;
}

}  // namespace gyre::server
