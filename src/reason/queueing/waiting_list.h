#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace gyre::reason {

/// Place in a line: lower is earlier. Total, since job ids are unique.
struct OrderKey {
  std::int64_t rank = 0;
  JobId job;

  auto operator<=>(const OrderKey&) const = default;
};

struct Waiting {
  OrderKey key;
  Duration expected = Duration::max();  // run time; max: unknown
  std::uint32_t demand = 0;             // index in a DemandTable
};

/// Waiting jobs in line order, in blocks that know the shortest expected run time among them, so
/// that "the next job that would end in time" skips whole blocks.
class WaitingList {
 public:
  void insert(const Waiting& entry);  // O(blocks + block size)
  bool erase(const OrderKey& key);    // O(blocks + block size); false if it was not there
  /// Those of the jobs that stand at `from` stand at `to` now. Requires: ascending. O(log blocks +
  /// block size) for each, less where they stand close together.
  void move(std::span<const JobId> jobs, std::int64_t from, std::int64_t to);

  bool empty() const { return blocks_.empty(); }
  std::size_t size() const { return size_; }
  const Waiting& first() const { return blocks_.front().entries.front(); }

  /// The first entry after `key` (or the first at all) expected to run no longer than `limit`.
  const Waiting* next(const std::optional<OrderKey>& after, Duration limit) const;

  /// Entries before `key`.
  std::size_t rank(const OrderKey& key) const;

  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for (const Block& block : blocks_) {
      for (const Waiting& entry : block.entries) visit(entry);
    }
  }

 private:
  static constexpr std::size_t kBlockMax = 128;
  struct Block {
    std::vector<Waiting> entries;  // ascending, never empty
    Duration shortest = Duration::max();
    OrderKey last;  // of its entries
  };

  std::size_t block_of(const OrderKey& key) const;
  static void refresh(Block& block);

  std::vector<Block> blocks_;
  std::size_t size_ = 0;
};

}  // namespace gyre::reason
