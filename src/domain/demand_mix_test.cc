#include "domain/demand_mix.h"

#include <gtest/gtest.h>

namespace gyre {
namespace {

Request gpus(std::int32_t count) { return {count, kWholeGpu, {}, {}, {}, {}}; }

TEST(DemandMix, CountsTasksByKindWithoutMemory) {
  DemandMix mix;
  Request roomy = gpus(1);
  roomy.memory = MemoryMib{512};
  learn(mix, {{3, gpus(2)}, {1, gpus(1)}});
  learn(mix, {{2, roomy}});
  ASSERT_EQ(mix.seen.size(), 2U);
  EXPECT_EQ(mix.seen[0], (DemandKind{gpus(1), 3}));
  EXPECT_EQ(mix.seen[1], (DemandKind{gpus(2), 3}));
  EXPECT_EQ(mix.tasks_seen, 6);
}

TEST(DemandMix, IsPublishedInSteps) {
  DemandMix mix;
  int steps = 0;
  for (int i = 0; i < 70; ++i) steps += learn(mix, {{1, gpus(1 + i % 4)}}) ? 1 : 0;
  EXPECT_EQ(steps, 2) << "after 32 tasks, then after half as many as were seen";
  EXPECT_EQ(mix.published.size(), 4U);
  EXPECT_NE(mix.published, mix.seen);
}

TEST(DemandMix, OldDemandFades) {
  DemandMix mix;
  for (int i = 0; i < 4000; ++i) learn(mix, {{1, gpus(1)}});
  for (int i = 0; i < 40'000; ++i) learn(mix, {{1, gpus(2)}});
  EXPECT_LT(mix.tasks_seen, kTasksSeenMax);
  EXPECT_LT(mix.seen.front().tasks * 10, mix.seen.back().tasks);
  for (int i = 0; i < 400'000; ++i) learn(mix, {{1, gpus(2)}});
  EXPECT_EQ(mix.seen.size(), 1U);
}

TEST(DemandMix, AGangOfAnySizeKeepsTheBound) {
  DemandMix mix;
  learn(mix, {{10'000, gpus(1)}, {10'000, gpus(2)}});
  EXPECT_LT(mix.tasks_seen, kTasksSeenMax);
  EXPECT_EQ(mix.seen.size(), 2U);
}

TEST(DemandMix, TypicalKindsCoverNinetyFivePercent) {
  std::vector<DemandKind> seen{{gpus(1), 3}, {gpus(2), 96}, {gpus(4), 1}};
  ASSERT_EQ(typical_of(seen).size(), 1U);
  EXPECT_EQ(typical_of(seen)[0].request, gpus(2));
  seen[0].tasks = 9;
  EXPECT_EQ(typical_of(seen).size(), 2U);
  EXPECT_TRUE(typical_of({}).empty());
}

}  // namespace
}  // namespace gyre
