#include "server/trace/first_output.h"

#include <utility>
#include <vector>

namespace gyre::server {

void FirstOutput::watch(const act::TaskKey& key, const TraceContext& context, Time began) {
  const std::lock_guard lock(mutex_);
  if (const auto early = early_.find(key); early != early_.end()) {
    return tell({context, began}, early->second);
  }
  if (awaited_.size() < kTasksMax) awaited_.try_emplace(key, Awaited{context, began});
}

void FirstOutput::spoke(const act::TaskKey& key, Duration after) {
  const std::lock_guard lock(mutex_);
  if (const auto task = awaited_.find(key); task != awaited_.end()) {
    tell(task->second, after);
    awaited_.erase(task);
    return;
  }
  if (!early_.emplace(key, after).second) return;
  early_by_age_.push_back(key);
  if (early_by_age_.size() <= kEarlyMax) return;
  early_.erase(early_by_age_.front());
  early_by_age_.pop_front();
}

void FirstOutput::ended(const act::TaskKey& key) {
  const std::lock_guard lock(mutex_);
  awaited_.erase(key);
}

void FirstOutput::tell(const Awaited& task, Duration after) {
  observe::Span span;
  span.context = task.context;
  span.context.span = derived_span(task.context, "first output");
  span.parent = task.context.span;
  span.name = "first output";
  span.begin = task.began;
  span.end = saturating_add(task.began, after);
  std::vector<observe::Span> spans;
  spans.push_back(std::move(span));
  sink_.take(std::move(spans));
}

}  // namespace gyre::server
