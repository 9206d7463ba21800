#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "act/task_artifacts.h"
#include "live/fleet.h"
#include "server/api/question.h"
#include "server/http/message.h"

namespace gyre::server {

/// Asks for a piece of an artifact wherever it is kept.
using ArtifactReader =
    std::function<void(const act::ArtifactQuery&, live::Done<act::ArtifactAnswer>)>;

/// A part of one file, piece by piece. Ends before its end where the node does not give the rest.
class ArtifactStream final : public http::Stream {
 public:
  /// `part`: the file, its attempt, and from where on; `end`: up to where.
  ArtifactStream(ArtifactReader read, act::ArtifactQuery part, std::uint64_t end)
      : read_(std::move(read)), part_(std::move(part)), end_(end) {}

  void open(std::function<void()> wake) override { wake_ = std::move(wake); }
  State read(std::string& out) override;

 private:
  ArtifactReader read_;
  act::ArtifactQuery part_;
  const std::uint64_t end_;
  std::function<void()> wake_;
  Question<act::ArtifactAnswer> question_;
};

/// The part of a file of `size` bytes that a Range header asks for (RFC 9110, section 14.1.2).
struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  // behind the last
  bool partial = false;
  bool operator==(const ByteRange&) const = default;
};
/// All of it where the header is absent, asks for several parts, or is not understood, as the RFC
/// has it. Errors: Invalid, the part is beyond the end.
Result<ByteRange> byte_range(std::string_view header, std::uint64_t size);

}  // namespace gyre::server
