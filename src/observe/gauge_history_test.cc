#include "observe/gauge_history.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>

namespace gyre::observe {
namespace {

Time at(std::int64_t s) { return Time{} + seconds(s); }
using Means = std::vector<std::optional<std::int64_t>>;

TEST(GaugeHistoryTest, WeighsEachLevelByTheTimeItLasted) {
  GaugeHistory history({{seconds(10), 3}}, at(1000), 0);
  history.set(at(1004), 100);
  history.set(at(1015), 40);
  const auto series = history.read(0, at(1020));
  EXPECT_EQ(series.begins_at, at(1000));
  EXPECT_EQ(series.means, (Means{60, 70, std::nullopt}));  // (6 s of 100), (5 s of 100, 5 s of 40)
}

TEST(GaugeHistoryTest, ALevelLastsUntilItIsReplaced) {
  GaugeHistory history({{seconds(10), 3}}, at(1000), 7);
  EXPECT_EQ(history.read(0, at(1029)).means, (Means{7, 7, 7}));
  EXPECT_EQ(history.read(0, at(1'000'000)).means, (Means{7, 7, std::nullopt}));
  EXPECT_EQ(history.read(0, at(1000)).means.back(), std::nullopt);  // nothing has passed yet
}

TEST(GaugeHistoryTest, BeforeTheStartNothingIsKnown) {
  const GaugeHistory history({{seconds(10), 3}}, at(1000), 7);
  EXPECT_EQ(history.read(0, at(1005)).means, (Means{std::nullopt, std::nullopt, 7}));
}

TEST(GaugeHistoryTest, TimeThatGoesBackCountsAsTheLatest) {
  GaugeHistory history({{seconds(10), 2}}, at(1000), 1);
  history.set(at(1010), 2);
  history.set(at(1001), 3);
  EXPECT_EQ(history.read(0, at(1019)).means, (Means{1, 3}));
}

TEST(GaugeHistoryTest, LevelsShorterThanAMillisecondLoseNoTime) {
  GaugeHistory history({{seconds(1), 2}}, Time{}, 7);
  for (std::int64_t i = 1; i < 3000; ++i) history.set(Time{} + nanoseconds(i * 333'333), 7);
  EXPECT_EQ(history.read(0, at(1)).means[0], 7);
  GaugeHistory square({{seconds(1), 2}}, Time{}, 0);
  for (std::int64_t i = 1; i <= 10; ++i) square.set(Time{} + milliseconds(i * 100), 1000 * (i % 2));
  EXPECT_EQ(square.read(0, at(1)).means[0], 500);
}

RC_GTEST_PROP(GaugeHistoryTest, AgreesWithCountingEachSecond, ()) {
  const auto pauses = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 40));
  const auto start = *rc::gen::inRange(-1000, 1000);
  GaugeHistory history({{seconds(10), 5}, {seconds(3), 4}}, at(start), 5);
  std::map<std::int64_t, std::int64_t> levels;  // by second
  std::int64_t now = start;
  std::int64_t level = 5;
  for (const int pause : pauses) {
    for (int i = 0; i < pause; ++i) levels[now++] = level;
    level = (level * 31 + pause) % 97;
    history.set(at(now), level);
  }
  const std::vector<std::int64_t> steps = {10, 3};
  for (std::size_t r = 0; r < 2; ++r) {
    const auto series = history.read(r, at(now));
    for (std::size_t i = 0; i < series.means.size(); ++i) {
      const std::int64_t opens =
          series.begins_at.ns / seconds(1).ns + static_cast<std::int64_t>(i) * steps[r];
      std::int64_t sum = 0;
      std::int64_t covered = 0;
      for (std::int64_t s = opens; s < opens + steps[r]; ++s) {
        if (!levels.contains(s)) continue;
        sum += levels[s];
        ++covered;
      }
      RC_ASSERT(series.means[i] == (covered > 0 ? std::optional(sum / covered) : std::nullopt));
    }
  }
}

}  // namespace
}  // namespace gyre::observe
