#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "act/executor.h"
#include "adapter/process/cgroups.h"
#include "adapter/process/container/host.h"
#include "adapter/process/container/preparer.h"
#include "adapter/process/files.h"
#include "adapter/process/janitor.h"
#include "adapter/process/task_loop.h"
#include "base/result.h"

namespace gyre::process {

struct ExecutorOptions {
  std::string folder;  // of all tasks' folders; made if missing; used by one executor at a time
  std::vector<std::string> supervisor;  // program and arguments; empty: this program's own
  Retention retention;
  ContainerOptions containers = {};
  act::ImageStore* images = nullptr;  // outlives the executor; without one there are no containers
  std::string lease =
      {};  // tasks end when that file's time is over; empty: they need none (lease.h)
  MemoryMib log_max{64};  // kept of each log of a task: its beginning and its newest part
};

/// Runs tasks as processes of this machine, in containers where they name an image, each under a
/// supervisor of its own that outlives this program: see docs/guide/local-node.md and
/// docs/adr/0003-task-supervisor.md.
class ProcessExecutor final : public act::Executor {
 public:
  /// Errors: Conflict, another executor uses the folder; Internal, the operating system.
  static Result<std::unique_ptr<ProcessExecutor>> open(ExecutorOptions options);

  /// Tasks go on. A later executor on the same folder may adopt them.
  ~ProcessExecutor() override;
  ProcessExecutor(const ProcessExecutor&) = delete;
  ProcessExecutor& operator=(const ProcessExecutor&) = delete;

  void listen(act::TaskListener& listener) override;
  void start(const act::TaskStart& task) override;
  void adopt(const act::TaskKey& key) override;
  void stop(const act::TaskKey& key, const act::StopOptions& options) override;
  void freeze(const act::TaskKey& key, bool frozen) override;
  void release(const act::TaskKey& key) override;
  std::vector<act::FoundTask> found() const override { return found_; }
  void discard(const act::TaskKey& key) override;

  /// What of the tasks' limits is kept on this machine, and what is not.
  const Enforcement& enforcement() const { return cgroups_.enforcement(); }

  const ContainerHost& containers() const { return containers_; }

  /// Waits until folders that need not be kept are gone.
  void settle_retention() { janitor_.settle(); }

 private:
  void hand_on(Preparer::Outcome outcome);
  ProcessExecutor(ExecutorOptions options, Fd lock, std::string instance);

  const ExecutorOptions options_;
  const Fd lock_;
  const std::string instance_;
  const std::vector<act::FoundTask> found_;
  CgroupHost cgroups_;
  ContainerHost containers_;
  Janitor janitor_;
  TaskLoop loop_;
  std::thread thread_;
  Preparer preparer_;  // ends before the loop that it hands tasks to
};

}  // namespace gyre::process
