#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "act/task_logs.h"
#include "base/time.h"

namespace gyre::agent {

/// Finds out how long after its start each task writes its first byte on stdout or stderr. Nobody
/// announces that byte, so it is looked for on a thread: a time is late by kLook, or by a twentieth
/// of itself. Thread-safe.
class FirstWords {
 public:
  static constexpr Duration kLook = milliseconds(50);
  static constexpr std::size_t kTasksMax = 1000;  // looked at together; later ones are left out

  using Tell = std::function<void(const act::TaskKey&, Duration after)>;

  /// `logs` outlives it. `tell` is called once for each task that wrote something, on any thread.
  FirstWords(const act::TaskLogs& logs, Tell tell);
  ~FirstWords();
  FirstWords(const FirstWords&) = delete;
  FirstWords& operator=(const FirstWords&) = delete;

  /// The task runs from now on.
  void began(const act::TaskKey& key);

  /// The task is over: it is looked at once more, before this returns.
  void ended(const act::TaskKey& key);

 private:
  using Clock = std::chrono::steady_clock;
  struct Awaited {
    Clock::time_point began;
    Clock::time_point next;  // when to look
  };

  void work();
  void look(const act::TaskKey& key, Clock::time_point now);
  bool has_output(const act::TaskKey& key) const;

  const act::TaskLogs& logs_;
  const Tell tell_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<act::TaskKey, Awaited> awaited_;
  bool ending_ = false;
  std::thread worker_;
};

}  // namespace gyre::agent
