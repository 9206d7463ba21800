#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "reason/placement/demand.h"
#include "reason/question.h"

namespace gyre::reason {

/// Walks the waiting jobs of several demands in line order. What is learned about one (it does not
/// fit) can leave out all that ask for the same. The entry at the top may leave its lists before
/// the walk goes on. O(log demands) a step; of very many demands, O(log entries) for each entry
/// that is passed over, and the walk ends early once the work is spent.
class Merge {
 public:
  /// So many demands' first entries are looked at beforehand.
  static constexpr std::size_t kDemandsMax = 1024;
  using Wanted = std::function<bool(const Demand&)>;

  /// A line: its entries, and the demands that they have.
  struct Among {
    const WaitingList& waiting;
    const std::set<std::uint32_t>& demands;
  };

  /// From the first entry after `after` on, of the demands for which `wanted(Demand)`.
  Merge(const DemandTable& demands, const Among& among, const std::optional<OrderKey>& after,
        const Effort& effort, Wanted wanted)
      : demands_(demands), passed_(after), wanted_(std::move(wanted)) {
    if (among.demands.size() > kDemandsMax) {
      walked_ = &among.waiting;
      effort_.emplace(effort);
      walk();
      return;
    }
    effort.work += std::ssize(among.demands);
    for (const std::uint32_t index : among.demands) {
      if (wanted_(demands.at(index))) push(index, after, Duration::max());
    }
  }
  /// Of one entry alone.
  Merge(const DemandTable& demands, const Waiting& only) : demands_(demands), single_(true) {
    heap_.push({only, Duration::max()});
  }

  /// No entry is at the top: there are no more, or the work is spent.
  bool done() const { return walked_ != nullptr ? !at_ : heap_.empty(); }
  /// There are no more.
  bool ended() const { return done() && !cut_; }
  const Waiting& top() const { return walked_ != nullptr ? *at_ : heap_.top().entry; }
  /// The last entry that the walk is beyond: where another goes on.
  const std::optional<OrderKey>& passed() const { return passed_; }

  /// To the next entry.
  void advance() {
    passed_ = top().key;
    if (walked_ != nullptr) return walk();
    const Cursor cursor = heap_.top();
    heap_.pop();
    if (!single_) push(cursor.entry.demand, cursor.entry.key, cursor.limit);
  }
  /// To the next entry of another demand: this one is left out.
  void drop() {
    passed_ = top().key;
    if (walked_ == nullptr) return heap_.pop();
    limits_[at_->demand] = Duration{-1};
    walk();
  }
  /// Of the top entry's demand only jobs expected to run no longer than `limit` count any more.
  void limit(Duration limit) {
    if (walked_ != nullptr) {
      limits_[at_->demand] = limit;
      return;
    }
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

  /// To the next entry after passed_ that counts.
  void walk() {
    const Waiting* next = walked_->next(passed_, Duration::max());
    while (next != nullptr && !counts(*next)) {
      passed_ = next->key;
      if (++effort_->work >= effort_->work_max) break;
      next = walked_->next(passed_, Duration::max());
    }
    cut_ = next != nullptr && passed_ == next->key;
    at_ = next == nullptr || cut_ ? std::nullopt : std::optional(*next);
  }
  bool counts(const Waiting& entry) const {
    const auto limit = limits_.find(entry.demand);
    return (limit == limits_.end() || entry.expected <= limit->second) &&
           wanted_(demands_.at(entry.demand));
  }

  const DemandTable& demands_;
  bool single_ = false;
  std::optional<OrderKey> passed_;
  Wanted wanted_;
  const WaitingList* walked_ = nullptr;  // of very many demands; then what follows is of use
  std::optional<Effort> effort_;
  std::optional<Waiting> at_;
  bool cut_ = false;                                    // the work was spent
  std::unordered_map<std::uint32_t, Duration> limits_;  // by demand; looked up, never walked
  std::priority_queue<Cursor, std::vector<Cursor>, std::greater<>> heap_;
};

}  // namespace gyre::reason
