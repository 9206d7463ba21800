#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace gyre::sim {

/// Bytes that come in order and once. One thread.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  /// Fills the front of `into`; returns how many bytes, 0 only at the end. Errors: Internal, the
  /// bytes cannot be had (the message does not name the source).
  virtual Result<std::size_t> read(std::span<char> into) = 0;
};

/// A file, or standard input for "-". What begins with gzip's magic number is unpacked, anything
/// else is passed on as it is. Errors: NotFound.
Result<std::unique_ptr<ByteSource>> open_source(const std::string& path);

/// Text that is already here.
std::unique_ptr<ByteSource> text_source(std::string text);

/// All bytes of `source`. Errors: Internal from the source, Invalid beyond `bytes_max`.
Result<std::string> read_all(ByteSource& source, std::size_t bytes_max);

/// What messages call `path`: its last part, or "standard input" for "-".
std::string display_name(const std::string& path);

}  // namespace gyre::sim
