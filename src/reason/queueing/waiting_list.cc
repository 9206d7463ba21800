#include "reason/queueing/waiting_list.h"

#include <algorithm>

namespace gyre::reason {
namespace {

bool before(const Waiting& entry, const OrderKey& key) { return entry.key < key; }

}  // namespace

// The block whose range holds `key`: the first one whose last entry is not before it.
std::size_t WaitingList::block_of(const OrderKey& key) const {
  const auto found =
      std::lower_bound(blocks_.begin(), blocks_.end(), key,
                       [](const Block& block, const OrderKey& k) { return block.last < k; });
  return static_cast<std::size_t>(found - blocks_.begin());
}

void WaitingList::refresh(Block& block) {
  block.last = block.entries.back().key;
  block.shortest = Duration::max();
  for (const Waiting& entry : block.entries) {
    block.shortest = std::min(block.shortest, entry.expected);
  }
}

void WaitingList::insert(const Waiting& entry) {
  ++size_;
  std::size_t at = block_of(entry.key);
  if (at == blocks_.size()) {
    if (at == 0 || blocks_.back().entries.size() >= kBlockMax) {
      blocks_.push_back({{entry}, entry.expected, entry.key});
      return;
    }
    --at;
  }
  auto& entries = blocks_[at].entries;
  entries.insert(std::lower_bound(entries.begin(), entries.end(), entry.key, before), entry);
  blocks_[at].shortest = std::min(blocks_[at].shortest, entry.expected);
  blocks_[at].last = entries.back().key;
  if (entries.size() <= kBlockMax) return;
  const auto middle = entries.begin() + static_cast<std::ptrdiff_t>(entries.size() / 2);
  Block upper{{middle, entries.end()}, Duration::max(), {}};
  entries.erase(middle, entries.end());
  refresh(blocks_[at]);
  refresh(upper);
  blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(at) + 1, std::move(upper));
}

bool WaitingList::erase(const OrderKey& key) {
  const std::size_t at = block_of(key);
  if (at == blocks_.size()) return false;
  auto& entries = blocks_[at].entries;
  const auto found = std::lower_bound(entries.begin(), entries.end(), key, before);
  if (found == entries.end() || found->key != key) return false;
  const bool was_shortest = found->expected == blocks_[at].shortest;
  entries.erase(found);
  --size_;
  if (entries.empty()) {
    blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(at));
  } else if (was_shortest) {
    refresh(blocks_[at]);
  } else {
    blocks_[at].last = entries.back().key;
  }
  return true;
}

void WaitingList::move(std::span<const JobId> jobs, std::int64_t from, std::int64_t to) {
  std::vector<Waiting> moved;
  for (auto job = jobs.begin(); job != jobs.end();) {
    const std::size_t at = block_of({from, *job});
    if (at == blocks_.size()) break;
    auto& entries = blocks_[at].entries;
    auto kept = std::lower_bound(entries.begin(), entries.end(), OrderKey{from, *job}, before);
    for (auto entry = kept; entry != entries.end(); ++entry) {
      while (job != jobs.end() && OrderKey{from, *job} < entry->key) ++job;
      if (job != jobs.end() && entry->key == OrderKey{from, *job}) {
        moved.push_back(*entry);
      } else {
        *kept++ = *entry;
      }
    }
    while (job != jobs.end() && OrderKey{from, *job} <= blocks_[at].last) ++job;
    if (kept == entries.end()) continue;
    entries.erase(kept, entries.end());
    if (entries.empty()) {
      blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      refresh(blocks_[at]);
    }
  }
  size_ -= moved.size();
  for (Waiting& entry : moved) {
    entry.key.rank = to;
    insert(entry);
  }
}

const Waiting* WaitingList::next(const std::optional<OrderKey>& after, Duration limit) const {
  std::size_t at = after ? block_of(*after) : 0;
  for (bool partial = after.has_value(); at < blocks_.size(); ++at, partial = false) {
    if (blocks_[at].shortest > limit) continue;
    const auto& entries = blocks_[at].entries;
    auto entry = entries.begin();
    if (partial) {
      entry = std::lower_bound(entries.begin(), entries.end(), *after, before);
      if (entry != entries.end() && entry->key == *after) ++entry;
    }
    for (; entry != entries.end(); ++entry) {
      if (entry->expected <= limit) return &*entry;
    }
  }
  return nullptr;
}

std::size_t WaitingList::rank(const OrderKey& key) const {
  const std::size_t at = block_of(key);
  std::size_t count = 0;
  for (std::size_t i = 0; i < at; ++i) count += blocks_[i].entries.size();
  if (at == blocks_.size()) return count;
  const auto& entries = blocks_[at].entries;
  return count +
         static_cast<std::size_t>(std::lower_bound(entries.begin(), entries.end(), key, before) -
                                  entries.begin());
}

}  // namespace gyre::reason
