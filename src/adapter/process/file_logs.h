#pragma once

#include <string>

#include "act/task_logs.h"

namespace gyre::process {

/// Reads the logs of the tasks of a ProcessExecutor, of this life or earlier ones, from the files
/// themselves; needs no executor.
class FileLogs final : public act::TaskLogs {
 public:
  explicit FileLogs(std::string folder) : folder_(std::move(folder)) {}
  Result<act::LogChunk> read(const act::LogQuery& query) const override;
  std::vector<act::TaskKey> kept() const override;

 private:
  Result<act::TaskKey> find(const act::LogQuery& query) const;

  const std::string folder_;
};

}  // namespace gyre::process
