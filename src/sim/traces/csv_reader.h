#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sim/traces/byte_source.h"

namespace gyre::sim {

/// Rows of comma separated values (RFC 4180, but that a quoted field ends on its line). Line ends
/// are LF or CRLF; a byte order mark and blank lines are passed over. One thread.
class CsvReader {
 public:
  CsvReader(std::unique_ptr<ByteSource> source, std::string name);

  /// The next row, or null at the end. The views are valid until the next call. Errors: Invalid
  /// for a malformed row, after which the next one can be read; Internal from the source, after
  /// which nothing can.
  Result<const std::vector<std::string_view>*> next();

  /// Of the row that next() gave or refused last; the first line is 1.
  std::uint64_t line() const { return line_; }
  const std::string& name() const { return name_; }

 private:
  Result<bool> next_line();  // into text_; false at the end
  Result<bool> fill();
  Result<void> split();
  Result<void> take_quoted(std::size_t& at);

  std::unique_ptr<ByteSource> source_;
  std::string name_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // of what has not been handed out
  std::size_t end_ = 0;
  bool ended_ = false;
  std::uint64_t line_ = 0;
  std::string text_;
  std::vector<std::string_view> fields_;
};

}  // namespace gyre::sim
