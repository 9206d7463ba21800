#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "domain/image_holders.h"
#include "domain/job.h"

namespace gyre {

/// The jobs that the core knows, by id. Ids are dense: the n-th job ever added is job n, from 1.
/// References stay valid until their job is forgotten. All calls O(1); walking is in id order.
class JobTable {
 public:
  /// Requires: job.id > last().
  Job& add(Job&& job);
  void forget(JobId id);

  Job* find(JobId id);
  const Job* find(JobId id) const;
  /// What it asks for, hashed once, when it was added; 0 where it names none or is not known.
  ImageId image(JobId id) const;
  JobId first() const { return {first_}; }  // no job below it is kept
  JobId last() const { return {first_ + index_.size() - 1}; }
  std::size_t size() const { return size_; }

  /// Ids up to `id` count as used.
  void skip_to(JobId id);

  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for (const std::uint32_t slot : index_) {
      if (slot != kNone) visit(*slots_[slot]);
    }
  }

 private:
  std::uint32_t slot_of(JobId id) const;  // kNone: it is not known

  static constexpr std::uint32_t kNone = 0xffffffff;

  std::uint64_t first_ = 1;          // id of index_[0]
  std::deque<std::uint32_t> index_;  // slot by id
  std::deque<std::optional<Job>> slots_;
  std::deque<ImageId> images_;  // by slot
  std::vector<std::uint32_t> unused_;
  std::size_t size_ = 0;
};

}  // namespace gyre
