#include "observe/recent_durations.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace gyre::observe {
namespace {

TEST(RecentDurations, FewSayNothing) {
  RecentDurations recent;
  for (std::size_t i = 1; i < RecentDurations::kMin; ++i) recent.add(seconds(5));
  EXPECT_EQ(recent.median(), Duration{0});
  recent.add(seconds(5));
  EXPECT_EQ(recent.median(), seconds(5));
}

RC_GTEST_PROP(RecentDurations, MedianIsOfTheLatest, (const std::vector<std::uint16_t>& all)) {
  RecentDurations recent;
  std::vector<Duration> latest;
  for (const std::uint16_t one : all) {
    for (const std::int64_t ns : {std::int64_t{one}, std::int64_t{one} % 7}) {
      recent.add(Duration{ns});
      latest.push_back(Duration{ns});
      if (latest.size() > RecentDurations::kKept) latest.erase(latest.begin());
    }
  }
  RC_ASSERT(
      std::equal(latest.begin(), latest.end(), recent.latest().begin(), recent.latest().end()));
  if (latest.size() < RecentDurations::kMin) return;
  std::sort(latest.begin(), latest.end());
  RC_ASSERT(recent.median() == latest[(latest.size() - 1) / 2]);
}

}  // namespace
}  // namespace gyre::observe
