#include "reason/scaling/scale.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace gyre::reason {
namespace {

constexpr ReplicaCount kCount{0, 4, 8, seconds(100), seconds(300)};
constexpr Time at(std::int64_t s) { return Time{s * 1'000'000'000}; }

TEST(Scale, OneReplicaForEachTargetOfLoad) {
  EXPECT_EQ(replicas_for(kCount, {0}), 0);
  EXPECT_EQ(replicas_for(kCount, {1}), 1);
  EXPECT_EQ(replicas_for(kCount, {8'000}), 1);
  EXPECT_EQ(replicas_for(kCount, {8'001}), 2);
  EXPECT_EQ(replicas_for(kCount, {1'000'000}), 4);
}

TEST(Scale, WithoutATargetTheLoadOnlyWakesIt) {
  const ReplicaCount count{0, 1, 0, seconds(1), seconds(1)};
  EXPECT_EQ(replicas_for(count, {0}), 0);
  EXPECT_EQ(replicas_for(count, {99'000}), 1);
}

TEST(Scale, InProportionWithATolerance) {
  EXPECT_EQ(asked_for(2, 90, 60), 3);
  EXPECT_EQ(asked_for(4, 30, 60), 2);
  EXPECT_EQ(asked_for(4, 1, 60), 1);
  EXPECT_EQ(asked_for(4, 66, 60), 4) << "a tenth more is the same";
  EXPECT_EQ(asked_for(4, 54, 60), 4);
  EXPECT_EQ(asked_for(4, 67, 60), 5);
  EXPECT_EQ(asked_for(3, 6'000, 60), 6) << "twice as many at most";
  EXPECT_EQ(asked_for(0, 6'000, 60), 2) << "none is as good as one";
  EXPECT_EQ(asked_for(4, 0, 60), 0);
  EXPECT_EQ(asked_for(4, -1, 60), 0);
  EXPECT_EQ(asked_for(4, 60, 0), 0);
  EXPECT_EQ(asked_for(kReplicasMax, 1'000'000'000'000'000, 1'000'000'000'000'000), kReplicasMax);
}

TEST(Scale, WhatAsksForMostDecides) {
  ReplicaCount count{1, 8, 8, seconds(100), seconds(300)};
  EXPECT_EQ(replicas_for(count, {8'000, 5, 6}), 1) << "without their targets they ask for nothing";
  count.target_queue_time = seconds(1);
  EXPECT_EQ(replicas_for(count, {8'000, 5, 6}), 5);
  count.target_gpu_activity = 60;
  EXPECT_EQ(replicas_for(count, {8'000, 5, 6}), 6);
  EXPECT_EQ(replicas_for(count, {100'000, 5, 6}), 8);
  EXPECT_EQ(replicas_for(count, {0, 0, 6}), 6) << "GPUs may be busy with what is no request";
  count.min = 0;
  EXPECT_EQ(replicas_for(count, {0, 0, 6}), 0) << "but do not keep it awake";
}

TEST(Scale, MoreAtOnceFewerWhenTheyWereEnoughForAWhile) {
  Scale scale = scaled(kCount, {1, {}, 0}, {30'000}, at(0));
  EXPECT_EQ(scale.wanted, 4);
  scale = scaled(kCount, scale, {9'000}, at(10));
  EXPECT_EQ(scale.wanted, 4);
  EXPECT_EQ(scale_due(kCount, scale), at(110));
  scale = scaled(kCount, scale, {17'000}, at(50));  // three were needed meanwhile
  scale = scaled(kCount, scale, {1'000}, at(60));
  scale = scaled(kCount, scale, {1'000}, at(110));
  EXPECT_EQ(scale.wanted, 3);
  scale = scaled(kCount, scale, {1'000}, *scale_due(kCount, scale));
  EXPECT_EQ(scale.wanted, 1);
  EXPECT_EQ(scale_due(kCount, scale), std::nullopt);
}

TEST(Scale, TheLastGoesWhenItHasBeenIdleForLonger) {
  Scale scale = scaled(kCount, {3, {}, 0}, {0}, at(0));
  scale = scaled(kCount, scale, {0}, at(100));
  EXPECT_EQ(scale.wanted, 1);
  EXPECT_EQ(scale_due(kCount, scale), at(300));
  scale = scaled(kCount, scale, {0}, at(300));
  EXPECT_EQ(scale.wanted, 0);
  EXPECT_EQ(scale_due(kCount, scale), std::nullopt);
  EXPECT_EQ(scaled(kCount, scale, {1}, at(301)).wanted, 1);
}

RC_GTEST_PROP(ScaleProperty, IsWithinItsBoundsEnoughAndComesToRest, ()) {
  ReplicaCount count;
  count.min = *rc::gen::inRange(0, 5);
  count.max = *rc::gen::inRange(std::max(1, count.min), 12);
  count.target_in_flight = *rc::gen::inRange(1, 10);
  count.scale_down_after = seconds(*rc::gen::inRange(0, 50));
  count.idle = seconds(*rc::gen::inRange(0, 50));
  Scale scale{std::max(1, count.min), {}, 0};
  Time now;
  std::int64_t load = 0;
  for (int i = 0; i < 50; ++i) {
    now = now + seconds(*rc::gen::inRange(0, 20));
    load = *rc::gen::inRange<std::int64_t>(0, 4) * *rc::gen::inRange<std::int64_t>(0, 30'000);
    scale = scaled(count, scale, {load}, now);
    RC_ASSERT(scale.wanted >= count.min && scale.wanted <= count.max);
    RC_ASSERT(scale.wanted >= replicas_for(count, {load}));
    RC_ASSERT(scaled(count, scale, {load}, now) == scale || scale_due(count, scale) <= now);
  }
  for (int i = 0; i < 4; ++i) {
    const auto due = scale_due(count, scale);
    if (!due) break;
    now = std::max(now, *due);
    scale = scaled(count, scale, {load}, now);
  }
  RC_ASSERT(scale.wanted == replicas_for(count, {load}));
}

}  // namespace
}  // namespace gyre::reason
