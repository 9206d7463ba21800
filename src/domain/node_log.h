#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"

namespace gyre {

/// Which nodes changed, in order, for who keeps something up to date by it. Keeps nothing before
/// start(), the last kKept entries at least after it.
class NodeLog {
 public:
  static constexpr std::size_t kKept = 1U << 15;

  void start() { on_ = true; }
  void note(NodeId node) {
    if (!on_) return;
    if (entries_.size() == 2 * kKept) {
      entries_.erase(entries_.begin(), entries_.begin() + kKept);
      begin_ += kKept;
    }
    entries_.push_back(node);
  }

  /// Entries so far.
  std::uint64_t end() const { return begin_ + entries_.size(); }
  /// The entries from that one on; nullopt: some of them are forgotten. Valid until the next
  /// note().
  std::optional<std::span<const NodeId>> since(std::uint64_t position) const {
    if (position < begin_) return std::nullopt;
    return std::span(entries_).subspan(position - begin_);
  }

 private:
  bool on_ = false;
  std::uint64_t begin_ = 0;  // the position of entries_[0]
  std::vector<NodeId> entries_;
};

}  // namespace gyre
