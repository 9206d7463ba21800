#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "act/executor.h"
#include "base/result.h"

namespace gyre::act {

/// Which task's, and what of it.
struct ArtifactQuery {
  JobId job;
  std::optional<std::int32_t> attempt;  // none: the latest that has some
  std::int32_t rank = 0;
  std::string path;          // of one file, as the list names it; empty: the list
  std::uint64_t offset = 0;  // within the file
  std::size_t bytes_max = 0;

  bool operator==(const ArtifactQuery&) const = default;
};

struct Artifact {
  std::string path;  // relative; text without control characters
  std::uint64_t size = 0;
  bool operator==(const Artifact&) const = default;
};
/// What was named or found and is not kept.
struct LeftOut {
  std::string path;
  std::string why;
  bool operator==(const LeftOut&) const = default;
};
struct ArtifactList {
  std::int32_t attempt = 0;
  std::vector<Artifact> files;  // by path
  std::vector<LeftOut> left_out;
  bool operator==(const ArtifactList&) const = default;
};
/// A piece of one file. A kept file never changes.
struct ArtifactPiece {
  std::int32_t attempt = 0;
  std::string data;        // from the query's offset on
  std::uint64_t size = 0;  // of the whole file
  bool operator==(const ArtifactPiece&) const = default;
};

using ArtifactAnswer = std::variant<ArtifactList, ArtifactPiece>;

/// What is kept of each task.
inline constexpr std::size_t kArtifactFilesMax = 2'000;
inline constexpr std::uint64_t kArtifactBytesMax = std::uint64_t{4} << 30U;
inline constexpr std::size_t kArtifactsLeftOutMax = 100;  // that are said
inline constexpr std::size_t kArtifactPieceMax = 1U << 20U;

/// Files that tasks have left to be kept: Launch::artifacts. Thread-safe; reads files.
class TaskArtifacts {
 public:
  virtual ~TaskArtifacts() = default;

  /// Errors: NotFound, no such task has kept any here; Internal, the disk.
  virtual Result<ArtifactList> list(const ArtifactQuery& query) const = 0;

  /// kArtifactPieceMax bytes at most. Errors: also NotFound, no such file; Invalid, an offset
  /// beyond its end.
  virtual Result<ArtifactPiece> read(const ArtifactQuery& query) const = 0;
};

}  // namespace gyre::act
