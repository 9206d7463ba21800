#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "act/task_artifacts.h"
#include "adapter/process/files.h"
#include "base/result.h"
#include "base/time.h"

namespace gyre::process {

/// In a task's folder: what is kept, and the list of it, which is there once all of it is.
inline constexpr const char* kArtifactsFolder = "artifacts";
inline constexpr const char* kArtifactsList = "artifacts.list";

/// Where a task's files are, seen as it saw them.
struct ArtifactSource {
  std::string folder;  // the working directory
  Fd mounts;           // the container's mount namespace; none: the node's own
  uid_t user = 0;      // in a container: who may read what is read
  gid_t group = 0;
};

struct ArtifactLimits {
  std::size_t files_max = act::kArtifactFilesMax;
  std::uint64_t bytes_max = act::kArtifactBytesMax;
  std::size_t depth_max = 32;
  Duration time_max = seconds(600);
};

/// Copies what `paths` name into the task's folder `to`, once nothing of the task runs any more.
/// Regular files alone, on ways without symbolic links, and only what the task's own user may read:
/// a process of its own looks for them, with no more rights than the task had. What is not kept,
/// and why, is in the list. Requires: one thread, signals blocked.
Result<void> collect_artifacts(const Fd& to, const std::vector<std::string>& paths,
                               const ArtifactSource& source, const ArtifactLimits& limits = {});

/// The list that was left in a task's folder; nullopt where there is none.
Result<std::optional<act::ArtifactList>> read_artifact_list(const Fd& folder);

/// Opens what is below `folder`, on a way without links and without "..": openat2(2). Invalid Fd:
/// see errno.
Fd open_below(const Fd& folder, const std::string& path, int flags);

}  // namespace gyre::process
