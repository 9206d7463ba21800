#include "reason/queueing/run_times.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace gyre::reason {
namespace {

constexpr Duration kDay = seconds(86'400);

Job job_of(std::uint64_t id, std::string name, std::int32_t gpus = 1) {
  Job job;
  job.id = {id};
  JobSpec spec;
  spec.name = std::move(name);
  spec.tenant = "ann";
  spec.tasks = {{1, {}}};
  spec.tasks[0].request.gpus = gpus;
  job.spec = std::move(spec);
  return job;
}

Job submit(RunTimes& times, std::uint64_t id, std::string name, Time now) {
  Job job = job_of(id, std::move(name));
  job.batch = times.batch_for(job.spec, job.id, now);
  times.join(job, {});
  return job;
}

void finish(RunTimes& times, const Job& job, Duration total) {
  times.leave(job);
  times.observe(job, total);
  times.refresh(job.batch);
}

TEST(LogStep, IsMonotoneAndInvertsItsBegin) {
  for (std::int64_t step = 1; step < 110; ++step) {
    EXPECT_EQ(log_step(log_step_begin(step)), step);
    EXPECT_LT(log_step_begin(step), log_step_begin(step + 1));
    EXPECT_EQ(log_step(std::nextafter(log_step_begin(step + 1), 0.0)), step);
  }
  EXPECT_EQ(log_step(0.5), 0);
  EXPECT_EQ(log_step(-1), 0);
  EXPECT_EQ(log_step(std::nan("")), 0);
}

TEST(RunTimes, JobsOfOneSweepAreABatchAndOthersAreNot) {
  RunTimes times;
  const Job a = submit(times, 1, "trial-1", Time{});
  const Job b = submit(times, 2, "trial-2", Time{} + seconds(59));
  const Job other = submit(times, 3, "eval-1", Time{} + seconds(59));
  const Job late = submit(times, 4, "trial-3", Time{} + seconds(59 + 61));
  EXPECT_EQ(a.batch, JobId{1});
  EXPECT_EQ(b.batch, a.batch);
  EXPECT_EQ(other.batch, JobId{3});
  EXPECT_EQ(late.batch, JobId{4});
}

TEST(RunTimes, ASiblingThatEndedSaysHowLongTheOthersTake) {
  RunTimes times;
  const Job a = submit(times, 1, "trial-1", Time{});
  const Job b = submit(times, 2, "trial-2", Time{});
  const RunTimes::Belief before = times.belief(b, {});
  times.leave(a);
  EXPECT_EQ(times.observe(a, seconds(3600)), (std::vector<std::vector<JobId>>{{b.id}}));
  EXPECT_EQ(times.belief(b, {}), before) << "until it is refreshed";
  times.refresh(b.batch);
  EXPECT_NEAR(times.belief(b, {}).median_s, 3600, 900);
  EXPECT_NEAR(times.quantile(b, {}, 0.6).seconds(), 3600, 900);
}

TEST(RunTimes, ANewBatchLeansOnItsKindAndAStrangerOnAll) {
  RunTimes times;
  for (std::uint64_t i = 1; i <= 40; ++i) {
    const Time at = Time{} + kDay * static_cast<std::int64_t>(i);
    const bool brief = i % 2 == 0;
    finish(times, submit(times, i, brief ? "brief" : "lengthy", at), seconds(brief ? 100 : 10'000));
  }
  const Job again = submit(times, 100, "brief", Time{} + kDay * 100);
  const Job stranger = submit(times, 101, "never seen", Time{} + kDay * 100);
  EXPECT_NEAR(times.belief(again, {}).median_s, 100, 25);
  EXPECT_NEAR(times.quantile(stranger, {}, 0.2).seconds(), 100, 25);
  EXPECT_NEAR(times.quantile(stranger, {}, 0.8).seconds(), 10'000, 2500);
}

TEST(RunTimes, WhatHasOutlivedTheShortOnesIsBelievedLong) {
  RunTimes times;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    const Time at = Time{} + kDay * static_cast<std::int64_t>(i);
    finish(times, submit(times, i, "mixed", at), i % 2 == 0 ? seconds(60) : seconds(40'000));
  }
  const Job job = submit(times, 50, "mixed", Time{} + kDay * 50);
  const double fresh = times.belief(job, {}).gittins_s;
  times.join(job, seconds(600));
  EXPECT_GT(times.belief(job, seconds(600)).gittins_s, 50 * fresh);
}

TEST(RunTimes, WhoHasRunForLongerThanAllLikeItIsCounted) {
  RunTimes times;
  const Job job = submit(times, 1, "train", Time{});
  times.join(job, kDay);
  EXPECT_EQ(times.unseen(), 0U);
  times.join(job, kDay * 400);
  times.join(job, kDay * 400);
  EXPECT_EQ(times.unseen(), 1U);
}

TEST(RunTimes, AbsurdRunTimesAreTakenForTheLongestOnes) {
  RunTimes times;
  const Job a = submit(times, 1, "x", Time{});
  const Job b = submit(times, 2, "x", Time{});
  finish(times, a, Duration::max());
  EXPECT_GT(times.belief(b, {}).gittins_s, 0);
  times.join(b, Duration::max());
  EXPECT_GT(times.belief(b, Duration::max()).gittins_s, 0);
  EXPECT_EQ(RunTimes::next_change(Duration::max()), Duration::max());
}

TEST(RunTimes, KindsAreBoundedAndTheLeastUsedIsForgotten) {
  RunTimes times;
  for (std::uint64_t i = 1; i <= RunTimes::kKindsMax + 50; ++i) {
    std::string name;
    for (std::uint64_t rest = i; rest > 0; rest /= 26) {
      name += static_cast<char>('a' + rest % 26);
    }
    const Time at = Time{} + seconds(static_cast<std::int64_t>(i));
    finish(times, submit(times, i, name, at), seconds(10));
  }
  EXPECT_LE(times.state().kinds.size(), RunTimes::kKindsMax);
  EXPECT_LE(times.state().batches.size(), RunTimes::kKindsMax);
}

TEST(RunTimes, AStateOfAnotherSizeIsRefused) {
  RunTimes times;
  submit(times, 1, "x", Time{});
  RunTimeHistory state = times.state();
  state.batches[0].weights.pop_back();
  EXPECT_FALSE(RunTimes().restore(state));
}

/// Quantiles come true: of many jobs from one source, about q of all end within the q-quantile.
TEST(RunTimes, QuantilesAreCalibratedOnAStationarySource) {
  RunTimes times;
  Rng rng(7);
  int within = 0;
  int asked = 0;
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    const Time at = Time{} + kDay * static_cast<std::int64_t>(i);
    const Job job = submit(times, i, "source", at);
    const Duration total =
        seconds(1) + Duration{static_cast<std::int64_t>(rng.exponential(3600) * 1e9)};
    if (i > 200) {
      ++asked;
      within += total <= times.quantile(job, {}, 0.8) ? 1 : 0;
    }
    finish(times, job, total);
  }
  EXPECT_NEAR(static_cast<double>(within) / asked, 0.8, 0.06);
}

RC_GTEST_PROP(RunTimes, ARestoredOneBelievesTheSame, (std::uint64_t seed)) {
  Rng rng(seed);
  RunTimes times;
  std::vector<Job> live;
  for (std::uint64_t i = 1; i <= 60; ++i) {
    const Time at = Time{} + seconds(static_cast<std::int64_t>(i * 30));
    live.push_back(submit(times, i, rng.below(2) == 0 ? "a" : "b", at));
    if (rng.below(2) != 0) continue;
    const std::size_t index = rng.below(live.size());
    finish(times, live[index], seconds(1 + static_cast<std::int64_t>(rng.below(100'000))));
    live.erase(live.begin() + static_cast<std::ptrdiff_t>(index));
  }
  RunTimes twin;
  RC_ASSERT(twin.restore(times.state()).has_value());
  for (const Job& job : live) {
    twin.join(job, {});
    RC_ASSERT(twin.belief(job, {}) == times.belief(job, {}));
  }
  RC_ASSERT(twin.state() == times.state());
}

}  // namespace
}  // namespace gyre::reason
