#include "sim/chaos/live_schedule.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>

namespace gyre::sim {
namespace {

constexpr Time kMonday{seconds(4 * 86'400).ns};  // 1970-01-05

LiveChaos scenario(Duration every, Duration lasts) {
  LiveChaos chaos;
  chaos.scenario.name = "test";
  chaos.scenario.lasts = lasts;
  ChaosFault fault;
  fault.kind = ChaosFault::Kind::CutNode;
  fault.every = {every, every};
  fault.lasts = {seconds(1), seconds(20)};
  chaos.scenario.faults = {fault};
  return chaos;
}

/// A fleet on which nothing is wrong.
LiveSight calm(Time now) {
  LiveSight sight;
  sight.now = now;
  sight.on = true;
  sight.calm_for = seconds(86'400);
  return sight;
}

/// Draws a scenario, its bounds and what is seen of a fleet. Returns how many faults happened.
int run_within_drawn_bounds() {
  int happened = 0;
  LiveChaos chaos = scenario(seconds(*rc::gen::inRange(20, 4'000)), seconds(10 * 86'400));
  LiveLimits& limits = chaos.limits;
  limits.from = seconds(60 * *rc::gen::inRange(0, 24 * 60));
  limits.to = seconds(60 * *rc::gen::inRange(0, 24 * 60 + 1));
  RC_PRE(limits.from != limits.to);
  limits.days = *rc::gen::inRange(1U, LiveLimits::kEveryDay + 1);
  limits.nodes_at_once = *rc::gen::inRange(1, 4);
  limits.faults_a_day = *rc::gen::inRange(1, 50);
  limits.calm = seconds(*rc::gen::inRange(0, 600));
  LiveSchedule schedule(chaos, *rc::gen::arbitrary<std::uint64_t>(), kMonday);

  std::map<std::int64_t, std::int64_t> of_day;
  std::vector<Time> ends;
  for (Time now = kMonday; !schedule.is_over(now);) {
    now = now + seconds(*rc::gen::inRange(1, 2'000));
    std::erase_if(ends, [&](Time end) { return end <= now; });
    LiveSight sight = calm(now);
    sight.on = *rc::gen::weightedElement<bool>({{9, true}, {1, false}});
    sight.calm_for = seconds(*rc::gen::inRange(-1, 1'200));
    const std::int64_t day = now.ns / LiveLimits::kDay.ns;
    for (;;) {
      sight.nodes_broken = std::ssize(ends);
      sight.faults_today = of_day[day];
      const auto due = schedule.next(sight);
      if (!due) break;
      if (!due->obstacle.empty()) continue;
      ++happened;
      ++of_day[day];
      ends.push_back(now + due->fault.lasts);
      RC_ASSERT(sight.on);
      RC_ASSERT(sight.calm_for.ns >= 0 && sight.calm_for >= limits.calm);
      RC_ASSERT(limits.open_at(now) && limits.open_at(now + due->fault.lasts));
      RC_ASSERT(of_day[day] <= limits.faults_a_day);
      RC_ASSERT(std::ssize(ends) <= limits.nodes_at_once);
      RC_ASSERT(now - (kMonday + due->fault.at) <= kLiveLateMax);
    }
  }
  return happened;
}

TEST(LiveScheduleTest, NothingHappensOutsideOfTheBounds) {
  int cases_with_faults = 0;
  EXPECT_TRUE(rc::check([&] { cases_with_faults += run_within_drawn_bounds() > 0; }));
  EXPECT_GE(cases_with_faults, 10) << "of a hundred cases too few have shown anything";
}

TEST(LiveScheduleTest, WithinTheBoundsItHappens) {
  LiveChaos chaos = scenario(seconds(600), seconds(14 * 86'400));
  LiveLimits& limits = chaos.limits;
  limits.from = seconds(9 * 3'600);
  limits.to = seconds(17 * 3'600);
  limits.days = 0b001'1111;  // from Monday to Friday
  limits.nodes_at_once = 1;
  limits.faults_a_day = 3;
  LiveSchedule schedule(chaos, 1, kMonday);
  std::map<std::int64_t, std::int64_t> of_day;
  while (const auto at = schedule.next_at()) {
    LiveSight sight = calm(*at);
    const std::int64_t day = (*at - kMonday).ns / LiveLimits::kDay.ns;
    sight.faults_today = of_day[day];
    const auto due = schedule.next(sight);
    ASSERT_TRUE(due);
    of_day[day] += due->obstacle.empty();
  }
  for (const auto& [day, faults] : of_day) EXPECT_EQ(faults, day % 7 < 5 ? 3 : 0) << day;
  EXPECT_EQ(of_day.size(), 14U);
}

TEST(LiveScheduleTest, ASeedGivesTheSameFaultsAtTheSameTimes) {
  const LiveChaos chaos = scenario(seconds(60), seconds(3'600));
  LiveSchedule one(chaos, 7, kMonday);
  LiveSchedule same(chaos, 7, kMonday);
  LiveSchedule other(chaos, 8, kMonday);
  int differ = 0;
  int faults = 0;
  while (const auto at = one.next_at()) {
    const auto fault = one.next(calm(*at));
    ASSERT_TRUE(fault && fault->obstacle.empty());
    ++faults;
    EXPECT_EQ(same.next_at(), at);
    const auto again = same.next(calm(*at));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->fault.lasts, fault->fault.lasts);
    EXPECT_EQ(again->fault.which, fault->fault.which);
    differ += other.next_at() != at;
    other.next(calm(*at));
  }
  EXPECT_GT(faults, 20);
  EXPECT_GT(differ, 0);
}

TEST(LiveScheduleTest, WhatWasMissedIsNotMadeUpFor) {
  LiveSchedule schedule(scenario(seconds(10), seconds(7'200)), 1, kMonday);
  const LiveSight late = calm(kMonday + seconds(3'600));
  int happened = 0;
  int missed = 0;
  while (const auto due = schedule.next(late)) ++(due->obstacle.empty() ? happened : missed);
  EXPECT_GT(missed, 200);
  EXPECT_LT(happened, 20);  // those of the latest half a minute
}

}  // namespace
}  // namespace gyre::sim
