#pragma once

#include <sys/types.h>

#include <mutex>
#include <string>
#include <thread>

#include "act/node_faults.h"

namespace gyre::process {

/// Breaks the tasks of a ProcessExecutor, and this program itself. What must go on after a time is
/// brought back by a process of its own, which needs nobody.
class NodeBreaker final : public act::NodeBreaker {
 public:
  /// `folder`: the tasks', as of the executor.
  explicit NodeBreaker(std::string folder) : folder_(std::move(folder)) {}
  ~NodeBreaker() override;

  Result<void> kill_task(const act::TaskKey& task) override;
  Result<void> hang_task(const act::TaskKey& task, Duration lasts) override;
  void resume_task(const act::TaskKey& task) override;
  Result<void> pause(Duration lasts) override;
  Result<void> restart(Duration away) override;

 private:
  void reap(pid_t child);

  const std::string folder_;
  std::mutex mutex_;
  std::thread reaper_;  // of the latest helper
};

}  // namespace gyre::process
