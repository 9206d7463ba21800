#pragma once

#include <sys/types.h>

#include <cstdint>
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
  Result<void> restart(Duration away, bool tasks_too) override;

 private:
  void reap(pid_t child);

  const std::string folder_;
  std::mutex mutex_;
  std::thread reaper_;  // of the latest helper
};

/// Fills a file system by a file in a folder on it; only one that is small and none of the
/// machine's own, since what else is on it is hit too.
class DiskFiller final : public act::DiskFiller {
 public:
  /// What an earlier life has left there is taken away.
  explicit DiskFiller(const std::string& folder);

  std::string obstacle() const override;
  Result<void> fill(Duration lasts) override;
  void empty() override;

  static constexpr std::int64_t kSizeMax = 4LL << 30;  // bytes of the file system

 private:
  const std::string folder_;
  const std::string ballast_;
};

}  // namespace gyre::process
