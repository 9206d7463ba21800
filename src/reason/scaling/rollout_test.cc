#include "reason/scaling/rollout.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace gyre::reason {
namespace {

Replica replica(std::uint64_t job, std::int32_t revision, bool ready) {
  Replica one;
  one.job = JobId{job};
  one.revision = revision;
  one.ready = ready;
  return one;
}

std::int32_t ready_of(const std::vector<Replica>& replicas) {
  return static_cast<std::int32_t>(std::count_if(
      replicas.begin(), replicas.end(),
      [](const Replica& one) { return one.ready && one.phase == Replica::Phase::Serving; }));
}

TEST(Rollout, OneMoreThanWantedAndNoneFewer) {
  std::vector<Replica> replicas{replica(1, 1, true), replica(2, 1, true)};
  auto step = rollout_step(replicas, 2, 2);
  EXPECT_EQ(step.create, 1);
  EXPECT_TRUE(step.retire.empty());
  replicas.push_back(replica(3, 2, false));
  step = rollout_step(replicas, 2, 2);
  EXPECT_EQ(step.create, 0);
  EXPECT_TRUE(step.retire.empty());
  replicas[2].ready = true;
  step = rollout_step(replicas, 2, 2);
  EXPECT_EQ(step.retire, std::vector{JobId{2}});
  EXPECT_EQ(step.create, 1);
  EXPECT_FALSE(rolled_out(replicas, 2, 2));
}

TEST(Rollout, ScalingDownTakesTheYoungestAndThoseThatAreNotReadyFirst) {
  const std::vector<Replica> replicas{replica(1, 1, true), replica(2, 1, false),
                                      replica(3, 1, true)};
  EXPECT_EQ(rollout_step(replicas, 2, 1).retire, std::vector{JobId{2}});
  EXPECT_EQ(rollout_step(replicas, 1, 1).retire, (std::vector{JobId{2}, JobId{3}}));
  EXPECT_EQ(rollout_step(replicas, 0, 1).retire.size(), 3U);
}

TEST(Rollout, FewerWantedLeavesRoomForOneThatStartsBesideThoseThatServe) {
  const std::vector<Replica> replicas{replica(1, 1, true), replica(2, 1, true),
                                      replica(3, 2, false), replica(4, 2, false)};
  const auto step = rollout_step(replicas, 2, 2);
  EXPECT_EQ(step.retire, std::vector{JobId{4}});
  EXPECT_EQ(step.create, 0);
}

TEST(Rollout, WhoStartsStaysWhenThoseThatServeGiveWay) {
  const std::vector<Replica> replicas{replica(1, 1, true), replica(2, 1, true), replica(3, 1, true),
                                      replica(4, 1, true), replica(5, 2, false)};
  EXPECT_EQ(rollout_step(replicas, 2, 2).retire, (std::vector{JobId{4}, JobId{3}}));
}

RC_GTEST_PROP(RolloutProperty, GetsThereWithoutEverServingFewer, ()) {
  const auto wanted = *rc::gen::inRange(0, 6);
  std::vector<Replica> replicas;
  std::uint64_t last = 0;
  const auto first = *rc::gen::inRange(0, 6);
  for (int i = 0; i < first; ++i) {
    replicas.push_back(replica(++last, *rc::gen::inRange(1, 4), *rc::gen::arbitrary<bool>()));
  }
  for (int round = 0; round < 40; ++round) {
    const std::int32_t ready = ready_of(replicas);
    const RolloutStep step = rollout_step(replicas, wanted, 2);
    for (const JobId job : step.retire) {
      for (Replica& one : replicas) {
        if (one.job == job) one.phase = Replica::Phase::Draining;
      }
    }
    for (int i = 0; i < step.create; ++i) replicas.push_back(replica(++last, 2, false));
    RC_ASSERT(ready_of(replicas) >= std::min(ready, wanted));
    const auto serving = std::count_if(replicas.begin(), replicas.end(), [](const Replica& one) {
      return one.phase == Replica::Phase::Serving;
    });
    RC_ASSERT(serving <= std::max<std::int64_t>(wanted + 1, ready));
    RC_ASSERT(rollout_step(replicas, wanted, 2).create == 0);
    for (Replica& one : replicas) {
      if (!one.ready && *rc::gen::inRange(0, 2) == 0) one.ready = true;
    }
  }
  for (Replica& one : replicas) one.ready = true;
  for (int round = 0; round < 20; ++round) {
    const RolloutStep step = rollout_step(replicas, wanted, 2);
    std::erase_if(replicas, [&](const Replica& one) {
      return std::find(step.retire.begin(), step.retire.end(), one.job) != step.retire.end();
    });
    for (int i = 0; i < step.create; ++i) replicas.push_back(replica(++last, 2, true));
  }
  const bool there = wanted == 0 ? ready_of(replicas) == 0 : rolled_out(replicas, wanted, 2);
  RC_ASSERT(there);
}

}  // namespace
}  // namespace gyre::reason
