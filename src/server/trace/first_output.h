#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "act/task_logs.h"
#include "observe/span.h"

namespace gyre::server {

/// Tells by a span "first output" how long each task took from its start to its first byte on
/// stdout or stderr. Nobody announces that byte, so it is looked for every kLook on a thread of its
/// own: a time is late by that at most. Thread-safe.
class FirstOutput {
 public:
  static constexpr Duration kLook = milliseconds(50);
  static constexpr std::size_t kTasksMax = 1000;  // looked at together; later ones are left out

  /// Both outlive it.
  FirstOutput(const act::TaskLogs& logs, observe::SpanSink& sink);
  ~FirstOutput();
  FirstOutput(const FirstOutput&) = delete;
  FirstOutput& operator=(const FirstOutput&) = delete;

  /// The task runs since `began`; `context` is that of its run.
  void watch(const act::TaskKey& key, const TraceContext& context, Time began);

  /// The task is over: it is looked at once more.
  void ended(const act::TaskKey& key, Time at);

 private:
  struct Awaited {
    act::TaskKey key;
    TraceContext context;
    Time began;
    std::optional<Time> over;
  };

  void work();
  bool has_output(const act::TaskKey& key) const;
  observe::Span told(const Awaited& task) const;

  const act::TaskLogs& logs_;
  observe::SpanSink& sink_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Awaited> awaited_;
  bool ending_ = false;
  std::thread worker_;
};

}  // namespace gyre::server
