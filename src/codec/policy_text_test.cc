#include "codec/policy_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace gyre::codec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(PolicyText, SaysWhatDiffersFromItsBase) {
  const auto policy = read_policy(
      "name: patient\nversion: 1\nrun_min: 10m\nbase: gyre\nstarve_after: 2d\n"
      "gain_min_percent: 300\nplacement: lookahead\n");
  ASSERT_TRUE(policy) << policy.error().message;
  PolicySpec expected = *policy_by_name("gyre");
  expected.name = "patient";
  expected.run_min = seconds(600);
  expected.starve_after = seconds(2 * 86'400);
  expected.gain_min_percent = 300;
  expected.placement = PolicySpec::Placement::Lookahead;
  EXPECT_EQ(*policy, expected);
}

TEST(PolicyText, WithoutABaseTheDefaultsHold) {
  const auto policy = read_policy("{\"version\": 1, \"name\": \"mine\", \"backfill\": \"easy\"}");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->order, PolicySpec::Order::Fifo);
  EXPECT_EQ(policy->backfill, PolicySpec::Backfill::Easy);
}

TEST(PolicyText, EveryMistakeIsNamedWithItsPlace) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"", "the policy file is empty"},
      {"- a", "expected a map"},
      {"name: x", "'version' is missing"},
      {"version: 1", "'name' is missing"},
      {"version: 2\nname: x", "line 1, column 10: version: this Gyre reads version 1"},
      {"version: 1\nname: x\nordr: fifo", "did you mean 'order'?"},
      {"version: 1\nname: x\norder: lifo", "line 3, column 8: order: expected one of fifo"},
      {"version: 1\nname: x\nbase: gyr", "did you mean 'gyre'?"},
      {"version: 1\nname: ''", "name: expected letters"},
      {"version: 1\nname: x\npreemption: maybe", "preemption: expected true or false"},
      {"version: 1\nname: x\nrun_min: 5", "run_min"},
      {"version: 1\nname: x\nrun_min: -5s", "run_min"},
      {"version: 1\nname: x\nbase: gyre\ngain_min_percent: .nan", "expected a whole number"},
      {"version: 1\nname: x\nbase: gyre\ngain_min_percent: 1e400", "expected a whole number"},
      {"version: 1\nname: x\nbase: gyre\ngain_min_percent: 99", "gain_min_percent"},
      {"version: 1\nname: x\nbase: gyre\npreemptions_max: -1", "preemptions_max"},
      {"version: 1\nname: x\nbase: tiresias\nlevel_gpu_seconds: 0", "level_gpu_seconds"},
      {"version: 1\nname: x\norder: gyre", "needs 'durations: learned'"},
      {"version: 1\nname: x\nbase: gyre\nbackfill: easy", "plans with declared run times"},
      {"version: 1\nname: x\npreemption: true", "never preempts"},
      {"version: 1\nname: x\nbackfill: greedy\nstarve_after: 0s", "give 'starve_after' a time"},
      {"version: 1\nname: x\nrun_min: 5m",
       "line 3, column 10: run_min: this policy does not go by"},
      {"version: 1\nname: x\npreemptions_max: 3", "it belongs to 'preemption: true'"},
      {"version: 1\nname: x\nbase: tiresias\nrestart_cost: 5s", "the orders gyre and srtf"},
      {"version: 1\nname: x\nbase: srtf\ngain_min_percent: 300", "and the order gyre"},
      {"version: 1\nname: x\nbase: gyre\nlevel_gpu_seconds: 5", "the order tiresias"},
      {"version: 1\nname: x\nbase: gyre\nrun_min: 99999999d", "'99999999d' is too long"},
  };
  for (const auto& [text, message] : cases) {
    const auto policy = read_policy(text);
    ASSERT_FALSE(policy) << text;
    EXPECT_THAT(policy.error().message, HasSubstr(message)) << text;
  }
}

TEST(PolicyText, AllThatContradictsIsToldAtOnce) {
  const auto policy = parse_policy(
      "version: 1\nname: x\norder: qssf\nbackfill: conservative\npreemption: true\n"
      "gain_min_percent: 99\nlevel_gpu_seconds: 0\nrestart_cost: 5s\n");
  ASSERT_FALSE(policy);
  std::vector<std::string> told;
  for (const SpecProblem& problem : policy.error()) told.push_back(describe(problem));
  const auto unused = HasSubstr("this policy does not go by it");
  EXPECT_THAT(told, ElementsAre(HasSubstr("line 3, column 8: order: this order needs"),
                                HasSubstr("line 4, column 11: backfill: this backfill plans with"),
                                HasSubstr("line 5, column 13: preemption: this order never"),
                                unused, unused, unused));
}

TEST(PolicyText, WhatItsBaseGoesByAndItDoesNotIsLeftOut) {
  const auto policy = read_policy(
      "version: 1\nname: x\nbase: gyre\npreemption: false\n"
      "run_min: 0s\n");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->run_min, Duration{0});
  EXPECT_EQ(policy->restart_cost, Duration{0});
  EXPECT_EQ(read_policy(to_yaml(*policy)), *policy);
}

TEST(PolicyText, WhereJobsMayBePassedForEverTheyGoFirstInTheEnd) {
  constexpr Duration kMonth = seconds(std::int64_t{30} * 86'400);
  for (const char* text : {"order: priority", "base: easy\norder: sjf", "backfill: greedy",
                           "base: priority\npreemption: true"}) {
    const auto policy = read_policy(std::string("version: 1\nname: x\n") + text);
    ASSERT_TRUE(policy) << text << ": " << policy.error().message;
    EXPECT_EQ(policy->starve_after, kMonth) << text;
  }
  EXPECT_EQ(read_policy("version: 1\nname: x\nbase: easy")->starve_after, Duration{0});
  EXPECT_EQ(read_policy("version: 1\nname: x\nbase: gyre\nstarve_after: 0s")->starve_after,
            Duration{0});
  for (const PolicySpec& policy : named_policies()) {
    EXPECT_EQ(policy.starve_after.ns > 0, policy.order != PolicySpec::Order::Fifo) << policy.name;
  }
}

TEST(PolicyText, DurationsAreWrittenInTheLargestWholeUnit) {
  PolicySpec policy = *policy_by_name("gyre");
  policy.name = "mine";
  policy.starve_after = seconds(std::int64_t{30} * 86'400);
  policy.run_min = seconds(90);
  policy.restart_cost = milliseconds(1500);
  const std::string text = to_yaml(policy);
  EXPECT_THAT(text, HasSubstr("starve_after: 30d\n"));
  EXPECT_THAT(text, HasSubstr("run_min: 90s\n"));
  EXPECT_THAT(text, HasSubstr("restart_cost: 1500ms\n"));
  EXPECT_EQ(read_policy(text), policy);
}

TEST(PolicyText, EveryNamedPolicyIsValid) {
  for (const PolicySpec& policy : named_policies()) {
    EXPECT_TRUE(validate(policy)) << policy.name << ": " << validate(policy).error().message;
    EXPECT_TRUE(read_policy("version: 1\nname: copy\nbase: " + policy.name)) << policy.name;
  }
}

RC_GTEST_PROP(PolicyText, WhatIsWrittenIsReadAsTheSame, ()) {
  const auto& policies = named_policies();
  PolicySpec policy = policies[*rc::gen::inRange<std::size_t>(0, policies.size())];
  const auto& placements = placement_names();
  policy.name = "mine.2";
  policy.placement = placements[*rc::gen::inRange<std::size_t>(0, placements.size())].placement;
  constexpr std::int64_t kYearMs = 31'536'000'000;
  const auto span = [] {
    return Duration{*rc::gen::inRange<std::int64_t>(0, kYearMs) * 1'000'000};
  };
  using Order = PolicySpec::Order;
  policy.starve_after = span();
  if (policy.preemption) {
    policy.run_min = span();
    policy.preemptions_max = *rc::gen::inRange(0, 1'000'000);
    if (policy.order == Order::Gyre || policy.order == Order::Srtf) policy.restart_cost = span();
    if (policy.order == Order::Gyre) policy.gain_min_percent = *rc::gen::inRange(100, 100'001);
  }
  if (policy.order == Order::Tiresias) {
    policy.level_gpu_seconds = *rc::gen::inRange<std::int64_t>(1, 1'000'000'000);
  }
  if (!validate(policy)) RC_DISCARD("contradicts itself");
  const auto read = read_policy(to_yaml(policy));
  RC_ASSERT(read.has_value());
  RC_ASSERT(*read == policy);
}

TEST(PolicyText, ABuiltInPolicyWithAPlacementMayBeWrittenAndReadBack) {
  for (const PolicySpec& named : named_policies()) {
    for (const PlacementName& placement : placement_names()) {
      const auto policy = policy_by_name(named.name + "+" + std::string(placement.name));
      ASSERT_TRUE(policy);
      EXPECT_EQ(read_policy(to_yaml(*policy)), *policy);
    }
  }
  EXPECT_FALSE(read_policy("version: 1\nname: easy+nowhere\n"));
}

}  // namespace
}  // namespace gyre::codec
