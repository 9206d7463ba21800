#include "observe/efficiency.h"

#include <gtest/gtest.h>

namespace gyre::observe {
namespace {

Holding busy() {
  Holding holding;
  holding.held = holding.gpu_seen = seconds(3600);
  holding.gpu_milli = 2000;
  holding.gpu_activity = 0.6;
  holding.gpu_idle = seconds(0);
  return holding;
}

TEST(Efficiency, JudgesByActivity) {
  Holding holding = busy();
  EXPECT_EQ(judge(holding, {}), Verdict::Good);
  EXPECT_EQ(wasted_gpu_seconds(holding, Verdict::Good), 0);
  holding.gpu_activity = 0.1;
  EXPECT_EQ(judge(holding, {}), Verdict::Low);
  EXPECT_DOUBLE_EQ(wasted_gpu_seconds(holding, Verdict::Low), 6480);
  holding.gpu_activity = 0.001;
  EXPECT_EQ(judge(holding, {}), Verdict::Idle);
}

TEST(Efficiency, AJobThatHasGoneQuietIsIdle) {
  Holding holding = busy();
  holding.gpu_idle = seconds(599);
  EXPECT_EQ(judge(holding, {}), Verdict::Good);
  holding.gpu_idle = seconds(600);
  EXPECT_EQ(judge(holding, {}), Verdict::Idle);
}

TEST(Efficiency, WhatIsNotKnownIsNotJudged) {
  Holding holding = busy();
  holding.gpu_activity.reset();
  EXPECT_EQ(judge(holding, {}), Verdict::Unknown);
  holding = busy();
  holding.gpu_activity = 0;
  holding.gpu_seen = seconds(599);
  EXPECT_EQ(judge(holding, {}), Verdict::Unknown) << "too young";
  holding.gpu_milli = 0;
  holding.gpu_seen = seconds(6000);
  EXPECT_EQ(judge(holding, {}), Verdict::Unknown) << "it holds none";
}

TEST(Efficiency, ARequestIsTooLargeByMoreThanTwice) {
  Holding holding = busy();
  EXPECT_FALSE(better_cpu(holding, {}) || better_memory(holding, {}));
  holding.cpu_asked = CpuMilli{16'000};
  holding.cpu_used = CpuMilli{1'700};
  EXPECT_EQ(better_cpu(holding, {}), CpuMilli{3'000});
  holding.cpu_used = CpuMilli{7'000};
  EXPECT_FALSE(better_cpu(holding, {}));
  holding.memory_asked = MemoryMib{200 * 1024};
  holding.memory_peak = MemoryMib{10};
  EXPECT_EQ(better_memory(holding, {}), MemoryMib{1024});
  holding.held = seconds(10);
  EXPECT_FALSE(better_memory(holding, {})) << "it may need more yet";
}

}  // namespace
}  // namespace gyre::observe
