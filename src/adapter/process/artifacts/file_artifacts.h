#pragma once

#include <string>

#include "act/task_artifacts.h"

namespace gyre::process {

/// Reads what the tasks of a ProcessExecutor have left to be kept, of this life or earlier ones,
/// from the files themselves; needs no executor.
class FileArtifacts final : public act::TaskArtifacts {
 public:
  /// `folder`: of all tasks' folders.
  explicit FileArtifacts(std::string folder) : folder_(std::move(folder)) {}
  Result<act::ArtifactList> list(const act::ArtifactQuery& query) const override;
  Result<act::ArtifactPiece> read(const act::ArtifactQuery& query) const override;

 private:
  Result<act::TaskKey> find(const act::ArtifactQuery& query) const;

  const std::string folder_;
};

}  // namespace gyre::process
