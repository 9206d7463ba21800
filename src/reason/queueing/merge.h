#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <set>
#include <vector>

#include "reason/placement/demand.h"

namespace gyre::reason {

/// Walks the waiting jobs of several demands in line order. What is learned about one (it does not
/// fit) can leave out all that ask for the same. The entry at the top may leave its lists before
/// the walk goes on. O(log demands) a step.
class Merge {
 public:
  /// From the first entry after `after` on, of the demands for which `wanted(Demand)`.
  template <class Wanted>
  Merge(const DemandTable& demands, const std::set<std::uint32_t>& among,
        const std::optional<OrderKey>& after, Wanted&& wanted)
      : demands_(demands) {
    for (const std::uint32_t index : among) {
      if (wanted(demands.at(index))) push(index, after, Duration::max());
    }
  }
  /// Of one entry alone.
  Merge(const DemandTable& demands, const Waiting& only) : demands_(demands), single_(true) {
    heap_.push({only, Duration::max()});
  }

  bool done() const { return heap_.empty(); }
  const Waiting& top() const { return heap_.top().entry; }

  /// To the next entry.
  void advance() {
    const Cursor cursor = heap_.top();
    heap_.pop();
    if (!single_) push(cursor.entry.demand, cursor.entry.key, cursor.limit);
  }
  /// To the next entry of another demand: this one is left out.
  void drop() { heap_.pop(); }
  /// Of the top entry's demand only jobs expected to run no longer than `limit` count any more.
  void limit(Duration limit) {
    Cursor cursor = heap_.top();
    heap_.pop();
    cursor.limit = limit;
    heap_.push(cursor);
  }

 private:
  struct Cursor {
    Waiting entry;
    Duration limit;
    bool operator>(const Cursor& other) const { return entry.key > other.entry.key; }
  };

  void push(std::uint32_t index, const std::optional<OrderKey>& after, Duration limit) {
    const Waiting* next = demands_.at(index).waiting.next(after, limit);
    if (next != nullptr) heap_.push({*next, limit});
  }

  const DemandTable& demands_;
  bool single_ = false;
  std::priority_queue<Cursor, std::vector<Cursor>, std::greater<>> heap_;
};

}  // namespace gyre::reason
