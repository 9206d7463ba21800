#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "act/executor.h"
#include "act/image_store.h"
#include "adapter/process/container/host.h"
#include "base/result.h"
#include "base/time.h"

namespace gyre::process {

/// Fetches the images of tasks that are to run in containers, on threads of its own, since that may
/// take minutes.
class Preparer {
 public:
  struct Outcome {
    act::TaskStart task;
    Result<ContainerPlan> plan;
    Time received;  // Unix
    Time asked_at;  // monotonic
    Duration image;
  };
  /// `done` is called on one of the threads, once for each task that was not cancelled.
  Preparer(act::ImageStore* images, const ContainerHost& host, std::function<void(Outcome)> done);
  /// Cancels what is under way.
  ~Preparer();
  Preparer(const Preparer&) = delete;
  Preparer& operator=(const Preparer&) = delete;

  /// A task that is being prepared already is not taken twice. Thread-safe.
  void take(const act::TaskStart& task);

  /// It is not to run any more. Thread-safe.
  void cancel(const act::TaskKey& key);

 private:
  struct Work {
    act::TaskStart task;
    Time received;
    Time asked_at;
  };
  void run();
  Result<ContainerPlan> prepare(Work& work);
  bool is_cancelled(const act::TaskKey& key);

  act::ImageStore* const images_;
  const ContainerHost& host_;
  const std::function<void(Outcome)> done_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> waiting_;
  std::set<act::TaskKey> known_;  // waiting or under way, and not cancelled
  bool quit_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace gyre::process
