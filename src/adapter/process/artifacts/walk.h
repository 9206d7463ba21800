#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "adapter/process/artifacts/collect.h"

namespace gyre::process {

/// What the one who looks says to the one who keeps, before the path, the reason and the content.
struct ArtifactWord {
  enum class Kind : std::uint32_t { File, LeftOut, Over };
  Kind kind = Kind::Over;
  std::uint32_t path_bytes = 0;
  std::uint32_t why_bytes = 0;
  std::uint64_t size = 0;  // of the content, which follows whole
};

/// Looks for `paths` in the source and says what it finds on `line`. Gives up all rights that the
/// task had not. Requires: a process of its own.
void walk_artifacts(const std::vector<std::string>& paths, const ArtifactSource& source,
                    const ArtifactLimits& limits, const Fd& line);

}  // namespace gyre::process
