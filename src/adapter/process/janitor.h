#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "act/executor.h"

namespace gyre::process {

struct Retention {
  std::size_t tasks_max = 1'000;             // finished ones
  std::uint64_t bytes_max = 10'737'418'240;  // of their folders together
};

/// Keeps the folders of finished tasks, logs and all, until there are too many or they are too
/// large; then the ones that ended first go. On a thread of its own, since folders may be large.
class Janitor {
 public:
  Janitor(std::string folder, const Retention& limits);
  ~Janitor();  // ends when what it has begun is done
  Janitor(const Janitor&) = delete;
  Janitor& operator=(const Janitor&) = delete;

  /// The task is over and nobody needs its folder any more. Thread-safe.
  void take(const act::TaskKey& key);

  /// Waits until all that was taken has been looked at.
  void settle();

 private:
  struct Kept {
    act::TaskKey key;
    std::uint64_t bytes = 0;
  };

  void work();
  void keep(const act::TaskKey& key);
  void prune();
  std::string path_of(const act::TaskKey& key) const;

  const std::string folder_;
  const Retention limits_;
  std::multimap<std::int64_t, Kept> kept_;  // by the time at which they ended; the thread's own
  std::uint64_t bytes_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<act::TaskKey> taken_;
  bool busy_ = false;
  bool quit_ = false;
  std::thread thread_;
};

}  // namespace gyre::process
