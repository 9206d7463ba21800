#pragma once

#include <memory>
#include <string>
#include <vector>

#include "act/local_node.h"
#include "adapter/mps/mps_executor.h"
#include "adapter/nvml/mig_executor.h"
#include "adapter/process/exec/exec_host.h"
#include "agent/images.h"
#include "apps/node_executor.h"
#include "base/result.h"

namespace gyre::apps {

/// What runs this machine's tasks, and holds them to their shares of its GPUs. Ends before who
/// listens to it.
class Tasks {
 public:
  /// `state`: the folder for all else than the tasks' own. Errors: as ProcessExecutor::open().
  static Result<std::unique_ptr<Tasks>> open(const NodeOptions& options, const act::GpuSet& gpus,
                                             const std::string& state);
  ~Tasks();
  Tasks(const Tasks&) = delete;
  Tasks& operator=(const Tasks&) = delete;

  act::Executor& executor();
  act::TaskExecs& execs() { return execs_; }
  agent::Images& images() { return *images_; }
  /// What of the tasks' limits is kept, a line each.
  std::vector<std::string> enforced() const { return node_->lines(); }

 private:
  explicit Tasks(const std::string& folder) : execs_(folder) {}

  process::ExecHost execs_;
  std::unique_ptr<mps::MpsExecutor> mps_;   // before the one that tells it
  std::unique_ptr<nvml::MigExecutor> mig_;  // likewise; over the other, where there are both
  std::unique_ptr<NodeExecutor> node_;
  std::unique_ptr<agent::Images> images_;
};

}  // namespace gyre::apps
