#pragma once

#include <cstdint>
#include <queue>
#include <utility>
#include <vector>

#include "base/time.h"

namespace gyre::sim {

/// What is going to happen, by time; what happens at one instant, in the order in which it was
/// added.
template <class Item>
class Agenda {
 public:
  void add(Time at, Item item) { heap_.push({at, ++order_, std::move(item)}); }
  bool empty() const { return heap_.empty(); }
  Time next() const { return heap_.empty() ? Time::max() : heap_.top().at; }
  /// Requires: not empty.
  Item take() {
    Item item = heap_.top().item;
    heap_.pop();
    return item;
  }

 private:
  struct Entry {
    Time at;
    std::uint64_t order = 0;
    Item item;
    bool operator>(const Entry& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap_;
  std::uint64_t order_ = 0;
};

}  // namespace gyre::sim
