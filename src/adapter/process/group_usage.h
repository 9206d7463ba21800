#pragma once

#include <string>

#include "act/task_usage.h"

namespace gyre::process {

/// Reads what the tasks of a ProcessExecutor use from their control groups, which each wrote down
/// in its folder. CPU time needs cgroup v2, beside v1 also; memory needs its controller in either.
class GroupUsage final : public act::TaskUsages {
 public:
  /// `folder`: the tasks', as of the executor.
  explicit GroupUsage(std::string folder) : folder_(std::move(folder)) {}
  act::TaskUsage usage(const act::TaskKey& key) const override;

 private:
  const std::string folder_;
};

}  // namespace gyre::process
