#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace gyre::server {

/// One thread for what takes long to compute, so that nobody waits for it but who asked. Works
/// tasks off in the order in which they came. Thread-safe.
class WorkThread {
 public:
  using Task = std::function<void()>;

  /// `tasks_max`: at hand and waiting.
  explicit WorkThread(std::size_t tasks_max);
  /// Waits for the task at hand; those that wait are dropped.
  ~WorkThread();
  WorkThread(const WorkThread&) = delete;
  WorkThread& operator=(const WorkThread&) = delete;

  /// Whether post() takes one more, as long as nobody else posts.
  bool has_room() const;
  /// False, and the task is dropped: there is no room.
  bool post(Task task);

 private:
  void work();

  const std::size_t tasks_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> waiting_;
  bool working_ = false;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace gyre::server
