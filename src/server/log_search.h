#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "act/task_logs.h"

namespace gyre::server {

/// Reads on in one of a task's logs, a piece at a time, for a text.
class LogSearch {
 public:
  static constexpr std::uint64_t kLookedAtMax = 65'536;  // of what is behind, the latest

  std::uint64_t offset() const { return offset_; }

  /// Whether the text has been said, here or in what came before.
  bool found(const act::LogChunk& chunk, const std::string& text) {
    tail_ += chunk.data;
    offset_ = chunk.next_offset;
    const bool there = tail_.find(text) != std::string::npos;
    // What may be the beginning of it.
    if (tail_.size() >= text.size()) tail_.erase(0, tail_.size() - text.size() + 1);
    return there;
  }

  /// The first piece says where the log ends: what was said before that is of no interest.
  bool begun() const { return begun_; }
  void begin_at_end(const act::LogChunk& chunk) {
    begun_ = true;
    offset_ = chunk.size;
  }

  /// Whether this piece has a line that has the text. The reader keeps up with any log: of what
  /// comes faster than it is asked for, the latest is looked at.
  bool beats(const act::LogChunk& chunk, const std::string& text) {
    const bool beat = found(chunk, text.empty() ? "\n" : text);
    if (chunk.size > offset_ + kLookedAtMax) {
      offset_ = chunk.size - kLookedAtMax;
      tail_.clear();
    }
    return beat;
  }

 private:
  std::uint64_t offset_ = 0;
  bool begun_ = false;
  std::string tail_;
};

}  // namespace gyre::server
