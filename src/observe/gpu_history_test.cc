#include "observe/gpu_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace gyre::observe {
namespace {

GpuSample sample(std::int64_t second, std::optional<std::int64_t> utilisation) {
  GpuSample one;
  one.at = Time{seconds(second).ns};
  one[GpuMetric::Utilisation] = utilisation;
  return one;
}

TEST(GpuHistory, AWindowHasTheMeanAndTheGreatest) {
  GpuHistory history(100);
  for (std::int64_t s = 1; s <= 60; ++s) history.add(sample(s, s));
  const auto ten = history.window(GpuMetric::Utilisation, seconds(10));
  ASSERT_TRUE(ten);
  EXPECT_EQ(ten->samples, 10U);
  EXPECT_EQ(ten->mean, 55);  // 51..60
  EXPECT_EQ(ten->max, 60);
  EXPECT_FALSE(history.window(GpuMetric::Power, seconds(10)));
}

TEST(GpuHistory, IsBoundedAndForgetsTheOldest) {
  GpuHistory history(8);
  for (std::int64_t s = 1; s <= 1000; ++s) history.add(sample(s, s));
  EXPECT_EQ(history.size(), 8U);
  const auto all = history.window(GpuMetric::Utilisation, seconds(10'000));
  EXPECT_EQ(all->samples, 8U);
  EXPECT_EQ(all->mean, 996);  // 993..1000
}

TEST(GpuHistory, AGapIsNoZero) {
  GpuHistory history(8);
  history.add(sample(1, 50));
  history.add(sample(2, std::nullopt));
  EXPECT_EQ(history.window(GpuMetric::Utilisation, seconds(5))->mean, 50);
}

TEST(GpuHistory, AMarkKeepsTheLastValues) {
  GpuHistory history(8);
  EXPECT_EQ(history.latest().health, GpuHealth::Unknown);
  history.add(sample(1, 50));
  EXPECT_EQ(history.latest().health, GpuHealth::Ok);
  history.mark(Time{seconds(9).ns}, GpuHealth::Lost);
  EXPECT_EQ(history.latest().health, GpuHealth::Lost);
  EXPECT_EQ(history.latest()[GpuMetric::Utilisation], 50);
  EXPECT_EQ(history.size(), 1U);
}

TEST(GpuMetric, EveryOneHasANameOfItsOwn) {
  std::set<std::string_view> names;
  std::set<std::string_view> dcgm;
  for (std::size_t i = 0; i < kGpuMetricCount; ++i) {
    const GpuMetricFacts& facts = gpu_metric_facts(static_cast<GpuMetric>(i));
    EXPECT_TRUE(names.insert(facts.name).second) << facts.name;
    EXPECT_TRUE(dcgm.insert(facts.dcgm_name).second) << facts.dcgm_name;
    EXPECT_FALSE(facts.help.empty());
  }
  EXPECT_EQ(throttle_words(0x4 | 0x40),
            (std::vector<std::string_view>{"sw_power_cap", "hw_thermal_slowdown"}));
}

}  // namespace
}  // namespace gyre::observe
