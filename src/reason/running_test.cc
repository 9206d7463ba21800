#include "reason/running.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "base/rng.h"
#include "domain/job_table.h"

namespace gyre::reason {
namespace {

/// What the header says of one job, straight from its fields.
Time expected(const Job& job, Time now) {
  if (job.state == JobState::Stopping) {
    return std::max(now, job.state_since + job.spec.checkpoint.grace);
  }
  const Time open = now + std::max(now - job.attempt_started_at, seconds(1));
  if (!job.spec.expected_duration) return open;
  const Time end = job.attempt_started_at + *job.spec.expected_duration;
  if (end >= now) return end;
  return end + (now - job.attempt_started_at) / 10 >= now ? now : open;
}

RC_GTEST_PROP(Running, WalksInOrderOfExpectedEnd, (std::uint64_t seed)) {
  Rng rng(seed);
  JobTable jobs;
  Running running;
  const Time now{seconds(1000).ns};
  std::vector<Ending> wanted;
  const std::uint64_t count = 1 + rng.below(40);
  for (std::uint64_t i = 1; i <= count; ++i) {
    Job job;
    job.id = {i};
    job.state = rng.below(4) == 0 ? JobState::Stopping : JobState::Running;
    job.state_since = Time{} + seconds(static_cast<std::int64_t>(rng.below(1001)));
    job.attempt_started_at = Time{} + seconds(static_cast<std::int64_t>(rng.below(1001)));
    if (rng.below(3) != 0) {
      job.spec.expected_duration = seconds(static_cast<std::int64_t>(rng.below(2000)));
    }
    const Job& kept = jobs.add(job);
    running.insert(kept, {kept.spec.expected_duration, std::nullopt});
    if (rng.below(5) == 0) {
      running.erase({i});
    } else {
      wanted.push_back({expected(kept, now), kept.id});
    }
  }
  std::sort(wanted.begin(), wanted.end(),
            [](const Ending& a, const Ending& b) { return a.at < b.at; });
  std::vector<Time> times;
  std::vector<JobId> ids;
  running.advance(now);
  running.walk([&](const Ending& ending) {
    RC_ASSERT(ending.at == expected(*jobs.find(ending.job), now));
    times.push_back(ending.at);
    ids.push_back(ending.job);
    return true;
  });
  RC_ASSERT(std::is_sorted(times.begin(), times.end()));
  std::sort(ids.begin(), ids.end());
  RC_ASSERT(ids == running.ids());
  RC_ASSERT(ids.size() == wanted.size());
}

TEST(Running, WhatIsBeingStoppedIsNotStoppedAgain) {
  Running running;
  Job job;
  job.id = {1};
  job.state = JobState::Running;
  const Running::Outlook outlook{std::nullopt, Standing{-3, Time{} + seconds(60)}};
  running.insert(job, outlook);
  EXPECT_TRUE(running.has_evictable(-4));
  EXPECT_FALSE(running.has_evictable(-3));
  EXPECT_EQ(running.next_review(), (std::pair{Time{} + seconds(60), JobId{1}}));
  job.state = JobState::Preempting;
  running.update(job, outlook);
  EXPECT_FALSE(running.has_evictable(-10));
  EXPECT_EQ(running.next_review().first, Time::max());
  EXPECT_EQ(running.leaving().size(), 1U);
}

}  // namespace
}  // namespace gyre::reason
