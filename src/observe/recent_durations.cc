#include "observe/recent_durations.h"

#include <algorithm>

namespace gyre::observe {

void RecentDurations::add(Duration took) {
  latest_.push_back(took);
  sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), took), took);
  if (latest_.size() <= kKept) return;
  sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), latest_.front()));
  latest_.pop_front();
}

Duration RecentDurations::median() const {
  return sorted_.size() < kMin ? Duration{0} : sorted_[(sorted_.size() - 1) / 2];
}

}  // namespace gyre::observe
