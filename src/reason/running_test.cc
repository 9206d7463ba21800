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
    return std::max(now, job.state_since + job.spec->checkpoint.grace);
  }
  const Time open = now + std::max(now - job.attempt_started_at, seconds(1));
  if (!job.spec->expected_duration) return open;
  const Time end = job.attempt_started_at + *job.spec->expected_duration;
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
      job.spec = job.spec.with([&](JobSpec& spec) {
        spec.expected_duration = seconds(static_cast<std::int64_t>(rng.below(2000)));
      });
    }
    const Job& kept = jobs.add(Job(job));
    running.insert(kept, {kept.spec->expected_duration, std::nullopt}, now);
    if (rng.below(5) == 0) {
      running.erase(kept);
    } else {
      wanted.push_back({expected(kept, now), kept.id});
    }
  }
  std::sort(wanted.begin(), wanted.end(),
            [](const Ending& a, const Ending& b) { return a.at < b.at; });
  std::vector<Time> times;
  std::vector<JobId> ids;
  running.advance(now);
  running.walk(now, [&](const Ending& ending) {
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

RC_GTEST_PROP(Running, IsAsIfItHadBegunNowHoweverTheTimePassed, (std::uint64_t seed)) {
  Rng rng(seed);
  JobTable jobs;
  Running aged;
  Time now;
  for (std::uint64_t i = 1; i <= 30; ++i) {
    Job job;
    job.id = {i};
    job.state = JobState::Running;
    job.attempt_started_at = now;
    if (rng.below(4) != 0)
      job.spec = job.spec.with(
          [&](JobSpec& spec) { spec.expected_duration = nanoseconds(1 + rng.below(40)); });
    const Job& kept = jobs.add(Job(job));
    aged.insert(kept, {kept.spec->expected_duration, std::nullopt}, now);
    now = now + nanoseconds(static_cast<std::int64_t>(rng.below(6)));
    if (aged.next_passing() <= now) aged.advance(now);
  }
  Running fresh;
  jobs.for_each([&](const Job& job) {
    fresh.insert(job, {job.spec->expected_duration, std::nullopt}, now);
  });
  const auto walked = [now](const Running& running) {
    std::vector<Ending> endings;
    running.walk(now, [&](const Ending& ending) {
      endings.push_back(ending);
      return true;
    });
    return endings;
  };
  const auto endings = walked(aged);
  RC_ASSERT(endings == walked(fresh));
  for (const Ending& ending : endings) {
    const Job& job = *jobs.find(ending.job);
    RC_ASSERT(ending.at == expected(job, now));
    const bool due = job.spec->expected_duration && ending.at >= now &&
                     job.attempt_started_at + *job.spec->expected_duration == ending.at;
    RC_ASSERT(aged.expected_end(job.id) == (due ? std::optional(ending.at) : std::nullopt));
  }
}

TEST(Running, LateJobsKeepTheirOrderSoThatAReservationStaysWhereItIs) {
  JobTable jobs;
  Running running;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    Job job;
    job.id = {i};
    job.state = JobState::Running;
    // The higher its id, the sooner it is over a tenth past its estimate.
    job.spec = job.spec.with([&](JobSpec& spec) {
      spec.expected_duration = seconds(1000 - 10 * static_cast<std::int64_t>(i));
    });
    const Job& kept = jobs.add(Job(job));
    running.insert(kept, {kept.spec->expected_duration, std::nullopt}, Time{});
  }
  const Time now{seconds(1000).ns};
  running.advance(now);
  std::vector<Ending> endings;
  running.walk(now, [&](const Ending& ending) {
    endings.push_back(ending);
    return true;
  });
  EXPECT_EQ(endings, (std::vector<Ending>{{now, {1}}, {now, {2}}, {now, {3}}}));
}

TEST(Running, WhatIsBeingStoppedIsNotStoppedAgain) {
  Running running;
  Job job;
  job.id = {1};
  job.state = JobState::Running;
  const Running::Outlook outlook{std::nullopt, Standing{-3, Time{} + seconds(60)}};
  running.insert(job, outlook, Time{});
  EXPECT_TRUE(running.has_evictable(-4));
  EXPECT_FALSE(running.has_evictable(-3));
  EXPECT_EQ(running.next_review(), (std::pair{Time{} + seconds(60), JobId{1}}));
  job.state = JobState::Preempting;
  running.update(job, outlook, Time{});
  EXPECT_FALSE(running.has_evictable(-10));
  EXPECT_EQ(running.next_review().first, Time::max());
  EXPECT_EQ(running.leaving().size(), 1U);
}

TEST(Running, AReplicaIsNotExpectedToEnd) {
  Running running;
  Job replica;
  replica.id = JobId{1};
  replica.service = "web";
  replica.state = JobState::Running;
  running.insert(replica, {}, Time{});
  EXPECT_TRUE(running.has_endless());
  int visited = 0;
  const auto count = [&visited](const Ending&) { return ++visited > 0; };
  running.walk(Time{}, count);
  EXPECT_EQ(visited, 0);
  EXPECT_FALSE(running.expected_end(replica.id));
  replica.state = JobState::Stopping;
  running.update(replica, {}, Time{});
  EXPECT_FALSE(running.has_endless());
  running.walk(Time{}, count);
  EXPECT_EQ(visited, 1) << "one that is being stopped is";
  running.erase(replica);
  EXPECT_TRUE(running.ids().empty());
}

}  // namespace
}  // namespace gyre::reason
