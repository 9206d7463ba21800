#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "domain/job.h"
#include "reason/preemption/node_parts.h"
#include "reason/preemption/reach.h"
#include "reason/queueing/order.h"

namespace gyre::reason {

/// When a placed job's resources are expected to be free.
struct Ending {
  Time at;
  JobId job;

  auto operator<=>(const Ending&) const = default;
};

/// The placed jobs of one partition, ordered by when they are expected to end, so that the next
/// endings are found without looking at all of them. Follows from the jobs and the time alone.
class Running {
 public:
  /// What the policy says of one job.
  struct Outlook {
    std::optional<Duration> remaining;  // run time from its start; nullopt: unknown
    std::optional<Standing> standing;   // nullopt: it is never stopped for another
  };

  void insert(const Job& job, const Outlook& outlook, Time now);  // O(log n)
  void erase(const Job& job);                                     // O(log n)
  /// The job's state or outlook changed.
  void update(const Job& job, const Outlook& outlook, Time now);
  /// What is believed of jobs has changed: those that may be stopped stand at `rank` until their
  /// review. Those that are left alone for now stay so, and for those whose review is due it is
  /// left. O(log n) for each.
  void move(const std::vector<const Job*>& jobs, Rank rank, Time now);
  /// Some of its tasks have ended. O(its tasks).
  void shrink(const Job& job);
  /// One that has ended holds something again, where job.placement says.
  void grow(const Job& job, std::int32_t rank);

  bool contains(JobId id) const { return jobs_.contains(id); }
  std::vector<JobId> ids() const;
  /// When it is expected to be gone, if its outlook or its grace says so.
  std::optional<Time> expected_end(JobId id) const;

  /// What their end could make room for.
  Reach& reach() { return reach_; }

  /// Its rank, if it may be stopped for others.
  std::optional<Rank> rank_of(JobId id) const;
  std::optional<Standing> standing_of(JobId id) const;
  /// Jobs that may be stopped for others, by rank.
  const Evictable& evictable() const { return evictable_; }
  bool has_evictable(Rank bar) const {
    return !evictable_.empty() && evictable_.rbegin()->first > bar;
  }
  /// When the standing of one of these changes first; Time::max() for never.
  std::pair<Time, JobId> next_review() const {
    return reviews_.empty() ? std::pair{Time::max(), JobId{}} : *reviews_.begin();
  }

  /// Whether there are jobs that end only when somebody wants them to: replicas of services.
  bool has_endless() const { return !endless_.empty(); }

  /// Jobs that are being stopped, and what they still hold.
  const std::set<std::pair<Time, JobId>>& leaving() const { return leaving_; }
  const NodeParts& leaving_parts() const { return leaving_parts_; }

  /// It is `now`: jobs pass their estimates, at most so many. Never goes back. Returns how many: if
  /// that is all it may be, the next call goes on. O(log n) for each.
  std::int64_t advance(Time now, std::int64_t jobs_max = std::numeric_limits<std::int64_t>::max());

  /// Estimates that jobs have run over by more than a tenth, so far.
  std::uint64_t overrun() const { return overrun_; }

  /// When a job passes its estimate next: until then advance() has nothing to do.
  Time next_passing() const;

  /// Calls `visit(Ending)` in ascending order until it returns false. A job being stopped ends
  /// after its grace; one past its estimate, now; one without an estimate, or over a tenth past it,
  /// is expected to run as long again as it has run. A replica is not expected to end. O(jobs
  /// visited). Requires: advanced to `now`.
  template <class Visitor>
  void walk(Time now, Visitor&& visit) const;

 private:
  enum class Kind : std::uint8_t { Estimated, Late, Open, Leaving, Endless };
  struct Entry {
    Kind kind = Kind::Open;
    Time key;    // in its kind's order
    Time start;  // of the attempt
    std::optional<Standing> standing;
  };
  using ByTime = std::set<std::pair<Time, JobId>>;

  static Entry entry_of(const Job& job, const Outlook& outlook, Time now);
  ByTime& order(Kind kind);
  void put(JobId id, const Entry& entry);
  void take(JobId id, const Entry& entry);
  void start_leaving(const Job& job);
  /// What has become of a job with an estimate by now.
  static void grow_old(Entry& entry, Time now);

  std::unordered_map<JobId, Entry> jobs_;  // looked up, never walked
  ByTime estimated_;                       // by expected end
  ByTime late_;                            // past it, by when that is over a tenth
  // The same, in an order that lasts: else a reservation would move on with every look.
  std::set<JobId> late_by_id_;
  ByTime open_;     // by start, negated: the later the start, the earlier the expected end
  ByTime leaving_;  // by end of grace
  NodeParts leaving_parts_;
  ByTime endless_;  // at no time
  Evictable evictable_;
  Reach reach_;
  ByTime reviews_;
  std::uint64_t overrun_ = 0;
};

/// "As long again as it has run", for a job that started at `start`.
inline Time open_end(Time start, Time now) {
  return saturating_add(now, std::max(now - start, seconds(1)));
}

template <class Visitor>
void Running::walk(Time now, Visitor&& visit) const {
  for (const JobId id : late_by_id_) {
    if (!visit(Ending{now, id})) return;
  }
  auto next_estimated = estimated_.begin();
  auto next_open = open_.begin();
  auto next_leaving = leaving_.begin();
  constexpr Ending kNone{Time::max(), JobId{~std::uint64_t{0}}};
  while (true) {
    const std::array<Ending, 3> candidates{
        next_estimated == estimated_.end()
            ? kNone
            : Ending{std::max(now, next_estimated->first), next_estimated->second},
        next_open == open_.end()
            ? kNone
            : Ending{open_end(Time{-next_open->first.ns}, now), next_open->second},
        next_leaving == leaving_.end()
            ? kNone
            : Ending{std::max(now, next_leaving->first), next_leaving->second}};
    const auto soonest = std::min_element(candidates.begin(), candidates.end());
    if (*soonest == kNone || !visit(*soonest)) return;
    switch (soonest - candidates.begin()) {
      case 0:
        ++next_estimated;
        break;
      case 1:
        ++next_open;
        break;
      default:
        ++next_leaving;
        break;
    }
  }
}

}  // namespace gyre::reason
