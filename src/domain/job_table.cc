#include "domain/job_table.h"

#include <utility>

#include "base/assert.h"

namespace gyre {

Job& JobTable::add(Job&& job) {
  GYRE_ASSERT(job.id > last());
  skip_to({job.id.value - 1});
  const ImageId image = image_id(job.spec->launch.container.image);
  std::uint32_t slot = 0;
  if (unused_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back(std::move(job));
    images_.push_back(image);
  } else {
    slot = unused_.back();
    unused_.pop_back();
    slots_[slot].emplace(std::move(job));
    images_[slot] = image;
  }
  index_.push_back(slot);
  ++size_;
  return *slots_[slot];
}

void JobTable::forget(JobId id) {
  GYRE_ASSERT(find(id) != nullptr);
  std::uint32_t& slot = index_[id.value - first_];
  slots_[slot].reset();
  unused_.push_back(slot);
  slot = kNone;
  --size_;
  while (index_.size() > 1 && index_.front() == kNone) {
    index_.pop_front();
    ++first_;
  }
}

std::uint32_t JobTable::slot_of(JobId id) const {
  if (id.value < first_ || id.value - first_ >= index_.size()) return kNone;
  return index_[id.value - first_];
}

Job* JobTable::find(JobId id) {
  const std::uint32_t slot = slot_of(id);
  return slot == kNone ? nullptr : &*slots_[slot];
}

const Job* JobTable::find(JobId id) const { return const_cast<JobTable*>(this)->find(id); }

ImageId JobTable::image(JobId id) const {
  const std::uint32_t slot = slot_of(id);
  return slot == kNone ? ImageId{} : images_[slot];
}

void JobTable::skip_to(JobId id) {
  if (id <= last()) return;
  if (size_ == 0) {
    index_.clear();
    first_ = id.value + 1;
    return;
  }
  index_.resize(id.value - first_ + 1, kNone);
}

}  // namespace gyre
