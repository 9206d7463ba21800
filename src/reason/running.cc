#include "reason/running.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

namespace gyre::reason {

namespace {

/// When a job that started at `start` and was to end at `end` is over a tenth of its time so far
/// past that: the first moment t with end + (t - start) / 10 < t.
Time over_a_tenth_past(Time start, Time end) {
  const std::int64_t late = (end - start).ns + 1;
  if (late <= 0) return end;
  const std::int64_t ninths = late / 9;
  const std::int64_t rest = late % 9;
  return saturating_add(saturating_add(start, Duration{ninths * 9 + rest}),
                        Duration{rest == 0 ? ninths - 1 : ninths});
}

}  // namespace

Running::ByTime& Running::order(Kind kind) {
  switch (kind) {
    case Kind::Estimated:
      return estimated_;
    case Kind::Late:
      return late_;
    case Kind::Open:
      return open_;
    case Kind::Endless:
      return endless_;
    case Kind::Leaving:
      break;
  }
  return leaving_;
}

void Running::put(JobId id, const Entry& entry) {
  order(entry.kind).emplace(entry.key, id);
  if (entry.kind == Kind::Late) late_by_id_.insert(id);
}

void Running::take(JobId id, const Entry& entry) {
  order(entry.kind).erase({entry.key, id});
  if (entry.kind == Kind::Late) late_by_id_.erase(id);
}

void Running::grow_old(Entry& entry, Time now) {
  if (entry.kind == Kind::Estimated && entry.key < now) {
    entry.kind = Kind::Late;
    entry.key = over_a_tenth_past(entry.start, entry.key);
  }
  if (entry.kind == Kind::Late && entry.key <= now) {
    entry.kind = Kind::Open;
    entry.key = Time{-entry.start.ns};
  }
}

std::int64_t Running::advance(Time now, std::int64_t jobs_max) {
  std::int64_t moved = 0;
  for (ByTime* passing : {&estimated_, &late_}) {
    while (moved < jobs_max && !passing->empty() && passing->begin()->first <= now) {
      const JobId id = passing->begin()->second;
      Entry& entry = jobs_.at(id);
      Entry older = entry;
      grow_old(older, now);
      if (older.kind == entry.kind) break;  // ends right now
      take(id, entry);
      put(id, older);
      if (older.kind == Kind::Open) ++overrun_;
      entry = older;
      ++moved;
    }
  }
  return moved;
}

Time Running::next_passing() const {
  Time next = Time::max();
  // One with an estimate is late after it, not at it.
  if (!estimated_.empty()) next = saturating_add(estimated_.begin()->first, nanoseconds(1));
  if (!late_.empty()) next = std::min(next, late_.begin()->first);
  return next;
}

Running::Entry Running::entry_of(const Job& job, const Outlook& outlook, Time now) {
  const Time start = job.attempt_started_at;
  Entry entry{Kind::Open, Time{-start.ns}, start, outlook.standing};
  if (job.state == JobState::Preempting || job.state == JobState::Stopping) {
    entry.kind = Kind::Leaving;
    entry.key = saturating_add(job.state_since, job.spec->checkpoint.grace);
    entry.standing.reset();
  } else if (!job.service.empty()) {
    entry.kind = Kind::Endless;
    entry.key = Time::max();
  } else if (outlook.remaining) {
    entry.kind = Kind::Estimated;
    entry.key = saturating_add(start, *outlook.remaining);
    grow_old(entry, now);
  }
  return entry;
}

void Running::insert(const Job& job, const Outlook& outlook, Time now) {
  const Entry entry = entry_of(job, outlook, now);
  jobs_.emplace(job.id, entry);
  put(job.id, entry);
  if (entry.kind == Kind::Leaving) start_leaving(job);
  if (!entry.standing) return;
  evictable_.emplace(entry.standing->rank, job.id);
  reach_.enter(job, entry.standing->rank);
  if (entry.standing->until < Time::max()) reviews_.emplace(entry.standing->until, job.id);
}

void Running::erase(const Job& job) {
  const auto found = jobs_.find(job.id);
  if (found == jobs_.end()) return;
  const Entry& entry = found->second;
  take(job.id, entry);
  if (entry.kind == Kind::Leaving) {
    for (const TaskPlacement& task : job.placement) leaving_parts_.remove(task.node, job.id);
  }
  if (entry.standing) {
    evictable_.erase({entry.standing->rank, job.id});
    reach_.leave(job, entry.standing->rank);
    reviews_.erase({entry.standing->until, job.id});
  }
  jobs_.erase(found);
}

void Running::update(const Job& job, const Outlook& outlook, Time now) {
  const auto found = jobs_.find(job.id);
  if (found == jobs_.end()) return insert(job, outlook, now);
  const Entry entry = entry_of(job, outlook, now);
  const Entry old = std::exchange(found->second, entry);
  if (outlook.remaining && entry.kind == Kind::Open &&
      (old.kind == Kind::Estimated || old.kind == Kind::Late)) {
    ++overrun_;
  }
  if (old.kind != entry.kind || old.key != entry.key) {
    take(job.id, old);
    put(job.id, entry);
  }
  if (old.kind != Kind::Leaving && entry.kind == Kind::Leaving) start_leaving(job);
  const std::optional<Standing>& before = old.standing;
  const std::optional<Standing>& after = entry.standing;
  if (before && after && before->rank != after->rank) {
    reach_.move(job, before->rank, after->rank);
  } else if (before && !after) {
    reach_.leave(job, before->rank);
  } else if (after && !before) {
    reach_.enter(job, after->rank);
  }
  if (before && (!after || before->rank != after->rank)) evictable_.erase({before->rank, job.id});
  if (after && (!before || before->rank != after->rank)) evictable_.emplace(after->rank, job.id);
  const Time until_before = before ? before->until : Time::max();
  const Time until = after ? after->until : Time::max();
  if (until_before == until) return;
  if (until_before < Time::max()) reviews_.erase({until_before, job.id});
  if (until < Time::max()) reviews_.emplace(until, job.id);
}

void Running::move(const std::vector<const Job*>& jobs, Rank rank, Time now) {
  auto after = evictable_.end();  // of the last one moved
  for (const Job* job : jobs) {
    std::optional<Standing>& standing = jobs_.at(job->id).standing;
    if (!standing || standing->rank == kSafe || standing->rank == rank) continue;
    if (standing->until <= now) continue;
    const auto place = evictable_.find({standing->rank, job->id});
    if (after == place) ++after;
    auto moved = evictable_.extract(place);
    moved.value().first = rank;
    after = std::next(evictable_.insert(after, std::move(moved)));
    reach_.move(*job, standing->rank, rank);
    standing->rank = rank;
  }
}

void Running::shrink(const Job& job) {
  reach_.shrink(job);
  for (std::size_t i = 0; i < job.placement.size(); ++i) {
    if (job.tasks[i] == TaskState::Ended) leaving_parts_.remove(job.placement[i].node, job.id);
  }
}

void Running::grow(const Job& job, std::int32_t rank) {
  const auto found = jobs_.find(job.id);
  if (found == jobs_.end() || !found->second.standing) return;
  reach_.grow(job, rank, found->second.standing->rank);
}

void Running::start_leaving(const Job& job) {
  for (std::size_t i = 0; i < job.placement.size(); ++i) {
    if (job.tasks[i] == TaskState::Ended) continue;
    leaving_parts_.add(job.placement[i].node, {job.id, i, job.placement[i].allocation});
  }
}

std::optional<Time> Running::expected_end(JobId id) const {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return std::nullopt;
  const Entry& entry = found->second;
  const bool known = entry.kind == Kind::Estimated || entry.kind == Kind::Leaving;
  if (!known) return std::nullopt;
  return entry.key;
}

std::optional<Standing> Running::standing_of(JobId id) const {
  const auto found = jobs_.find(id);
  return found == jobs_.end() ? std::nullopt : found->second.standing;
}

std::optional<Rank> Running::rank_of(JobId id) const {
  const auto standing = standing_of(id);
  return standing ? std::optional(standing->rank) : std::nullopt;
}

std::vector<JobId> Running::ids() const {
  std::vector<JobId> ids;
  ids.reserve(jobs_.size());
  for (const ByTime* order : {&estimated_, &late_, &open_, &leaving_, &endless_}) {
    for (const auto& [at, id] : *order) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace gyre::reason
