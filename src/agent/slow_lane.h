#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "base/time.h"

namespace gyre::agent {

/// Where words go one way: each is passed on when its time has come, and none before one that was
/// said earlier. What waits when it ends is dropped. Thread-safe.
class SlowLane {
 public:
  SlowLane() = default;
  ~SlowLane() { end(); }
  SlowLane(const SlowLane&) = delete;
  SlowLane& operator=(const SlowLane&) = delete;

  /// Without a delay and with nothing before it at once, on this thread.
  void pass(Duration delay, std::function<void()> word);
  /// Waits for the word that is being passed on; nothing is passed any more.
  void end();
  /// Words that wait.
  std::size_t waiting() const;

 private:
  struct Word {
    Time due;  // by the boot clock
    std::function<void()> pass;
  };
  void work();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Word> words_;  // by due
  bool busy_ = false;       // one is being passed on
  bool stop_ = false;
  std::thread thread_;  // once something has waited
};

}  // namespace gyre::agent
