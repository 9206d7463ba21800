#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>

#include "act/executor.h"
#include "observe/span.h"

namespace gyre::server {

/// Tells by a span "first output" how long each task took from its start to its first byte on
/// stdout or stderr, once it knows both. Thread-safe.
class FirstOutput {
 public:
  static constexpr std::size_t kTasksMax = 10'000;  // awaited; later ones are left out
  static constexpr std::size_t kEarlyMax = 1000;    // the oldest are forgotten

  /// `sink` outlives it.
  explicit FirstOutput(observe::SpanSink& sink) : sink_(sink) {}

  /// The task runs since `began`; `context` is that of its run.
  void watch(const act::TaskKey& key, const TraceContext& context, Time began);

  /// It first wrote something so long after its start; this may be known before its start is.
  void spoke(const act::TaskKey& key, Duration after);

  /// The task is over: nothing is awaited of it.
  void ended(const act::TaskKey& key);

 private:
  struct Awaited {
    TraceContext context;
    Time began;
  };

  void tell(const Awaited& task, Duration after);

  observe::SpanSink& sink_;
  std::mutex mutex_;
  std::map<act::TaskKey, Awaited> awaited_;
  std::map<act::TaskKey, Duration> early_;
  std::deque<act::TaskKey> early_by_age_;
};

}  // namespace gyre::server
