#include "observe/sample_means.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <map>

namespace gyre::observe {
namespace {

Time at(std::int64_t s) { return Time{} + seconds(s); }
using Means = std::vector<std::optional<std::int64_t>>;

TEST(SampleMeans, AStepIsTheMeanOfItsReadingsAndOneWithoutAnyIsUnknown) {
  SampleMeans means({seconds(10), 4});
  EXPECT_EQ(means.read(at(100)).means, (Means{{}, {}, {}, {}}));
  means.add(at(100), 10);
  means.add(at(109), 20);
  means.add(at(125), 7);
  const auto series = means.read(at(129));
  EXPECT_EQ(series.begins_at, at(90));
  EXPECT_EQ(series.step, seconds(10));
  EXPECT_EQ(series.means, (Means{{}, 15, {}, 7}));
  EXPECT_EQ(means.read(at(145)).means, (Means{{}, 7, {}, {}})) << "nothing was read since";
  EXPECT_EQ(means.read(at(900)).means, (Means{{}, {}, {}, {}}));
}

TEST(SampleMeans, WhatIsTooOldIsDropped) {
  SampleMeans means({seconds(10), 2});
  means.add(at(100), 1);
  means.add(at(80), 5);
  means.add(at(95), 3);
  means.add(at(-20), 9);
  EXPECT_EQ(means.read(at(100)).means, (Means{3, 1}));
  means.add(at(1000), 4);
  EXPECT_EQ(means.read(at(1000)).means, (Means{{}, 4}));
}

TEST(SampleMeans, NoReadingMakesASumTooLarge) {
  SampleMeans means({seconds(10), 1});
  means.add(at(1), std::numeric_limits<std::int64_t>::max());
  means.add(at(1), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(means.read(at(1)).means, (Means{{}}));
  const std::int64_t most = std::int64_t{1} << 47;
  for (int i = 0; i < 70'000; ++i) means.add(at(1), most);
  EXPECT_EQ(means.read(at(1)).means, (Means{most}));
}

RC_GTEST_PROP(SampleMeans, AreThoseOfAllReadings, ()) {
  const auto steps = *rc::gen::inRange<std::size_t>(1, 9);
  SampleMeans means({seconds(3), steps});
  std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>> known;  // by step: sum, number
  std::int64_t now = 0;
  for (const auto& [gap, value] :
       *rc::gen::container<std::vector<std::pair<std::uint8_t, std::int16_t>>>(rc::gen::pair(
           rc::gen::inRange<std::uint8_t>(0, 40), rc::gen::arbitrary<std::int16_t>()))) {
    now += gap / 4;
    means.add(at(now), value);
    auto& [sum, number] = known[now / 3];
    sum += value;
    ++number;
  }
  const auto series = means.read(at(now));
  RC_ASSERT(series.means.size() == steps);
  for (std::size_t i = 0; i < steps; ++i) {
    const auto step =
        known.find(series.begins_at.ns / seconds(3).ns + static_cast<std::int64_t>(i));
    RC_ASSERT(series.means[i].has_value() == (step != known.end()));
    if (step != known.end())
      RC_ASSERT(*series.means[i] == step->second.first / step->second.second);
  }
}

}  // namespace
}  // namespace gyre::observe
