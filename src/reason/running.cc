#include "reason/running.h"

#include <algorithm>

namespace gyre::reason {

void Running::insert(const Job& job) {
  Entry entry{Kind::Open, job.attempt_started_at, job.spec.priority, job.spec.preemptible};
  if (job.state == JobState::Preempting || job.state == JobState::Stopping) {
    entry.kind = Kind::Leaving;
    entry.key = saturating_add(job.state_since, job.spec.checkpoint.grace);
    entry.evictable = false;
  } else if (job.spec.expected_duration) {
    entry.kind = Kind::Estimated;
    entry.key = saturating_add(job.attempt_started_at, *job.spec.expected_duration);
  }
  jobs_.emplace(job.id, entry);
  order(entry.kind).emplace(entry.key, job.id);
  if (!entry.evictable) return;
  evictable_.insert(job.id);
  ++evictable_by_priority_[static_cast<std::size_t>(entry.priority)];
}

void Running::erase(JobId id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  const Entry& entry = found->second;
  order(entry.kind).erase({entry.key, id});
  if (entry.evictable) {
    evictable_.erase(id);
    --evictable_by_priority_[static_cast<std::size_t>(entry.priority)];
  }
  jobs_.erase(found);
}

void Running::update(const Job& job) {
  erase(job.id);
  insert(job);
}

std::vector<JobId> Running::ids() const {
  std::vector<JobId> ids;
  ids.reserve(jobs_.size());
  for (const auto& [id, entry] : jobs_) ids.push_back(id);
  return ids;
}

bool Running::has_evictable(std::int32_t priority) const {
  const auto end = evictable_by_priority_.begin() + priority;
  return std::any_of(evictable_by_priority_.begin(), end, [](auto count) { return count > 0; });
}

std::vector<Ending> Running::overdue(Time now, const JobTable& jobs) const {
  std::vector<Ending> late;
  for (auto entry = estimated_.begin(); entry != estimated_.end() && entry->first < now; ++entry) {
    const Time start = jobs.find(entry->second)->attempt_started_at;
    const bool about_to_end = saturating_add(entry->first, (now - start) / 10) >= now;
    late.push_back({about_to_end ? now : open_end(start, now), entry->second});
  }
  std::sort(late.begin(), late.end());
  return late;
}

}  // namespace gyre::reason
