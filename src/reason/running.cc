#include "reason/running.h"

#include <algorithm>

namespace gyre::reason {

Running::Entry Running::entry_of(const Job& job, const Outlook& outlook) {
  Entry entry{Kind::Open, job.attempt_started_at, outlook.standing};
  if (job.state == JobState::Preempting || job.state == JobState::Stopping) {
    entry.kind = Kind::Leaving;
    entry.key = saturating_add(job.state_since, job.spec.checkpoint.grace);
    entry.standing.reset();
  } else if (outlook.remaining) {
    entry.kind = Kind::Estimated;
    entry.key = saturating_add(job.attempt_started_at, *outlook.remaining);
  }
  return entry;
}

void Running::insert(const Job& job, const Outlook& outlook) {
  const Entry entry = entry_of(job, outlook);
  jobs_.emplace(job.id, entry);
  order(entry.kind).emplace(entry.key, job.id);
  if (!entry.standing) return;
  evictable_.emplace(entry.standing->rank, job.id);
  if (entry.standing->until < Time::max()) reviews_.emplace(entry.standing->until, job.id);
}

void Running::erase(JobId id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  const Entry& entry = found->second;
  order(entry.kind).erase({entry.key, id});
  if (entry.standing) {
    evictable_.erase({entry.standing->rank, id});
    reviews_.erase({entry.standing->until, id});
  }
  jobs_.erase(found);
}

void Running::update(const Job& job, const Outlook& outlook) {
  const auto found = jobs_.find(job.id);
  const Entry entry = entry_of(job, outlook);
  const bool moves = found == jobs_.end() || found->second.kind != entry.kind ||
                     found->second.key != entry.key || !found->second.standing || !entry.standing;
  if (moves) {
    erase(job.id);
    return insert(job, outlook);
  }
  // Most often only the next review is another.
  Standing& standing = *found->second.standing;
  if (standing.rank != entry.standing->rank) {
    evictable_.erase({standing.rank, job.id});
    evictable_.emplace(entry.standing->rank, job.id);
  }
  if (standing.until != entry.standing->until) {
    reviews_.erase({standing.until, job.id});
    if (entry.standing->until < Time::max()) reviews_.emplace(entry.standing->until, job.id);
  }
  standing = *entry.standing;
}

std::optional<Time> Running::expected_end(JobId id) const {
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second.kind == Kind::Open) return std::nullopt;
  return found->second.key;
}

std::optional<Rank> Running::rank_of(JobId id) const {
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || !found->second.standing) return std::nullopt;
  return found->second.standing->rank;
}

std::vector<JobId> Running::ids() const {
  std::vector<JobId> ids;
  ids.reserve(jobs_.size());
  for (const auto& [id, entry] : jobs_) ids.push_back(id);
  return ids;
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
