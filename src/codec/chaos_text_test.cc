#include "codec/chaos_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyre::codec {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::string_view kHead = "version: 1\nname: one\n";

std::string error_of(std::string_view rest) {
  const auto spec = read_chaos(std::string(kHead) + std::string(rest));
  return spec ? "no error" : spec.error().message;
}

TEST(ChaosTextTest, WhatIsLeftOutHasItsDefault) {
  const auto spec = read_chaos(kHead);
  ASSERT_TRUE(spec) << spec.error().message;
  ChaosSpec expected;
  expected.name = "one";
  EXPECT_EQ(*spec, expected);
}

TEST(ChaosTextTest, EverySettingIsRead) {
  const auto spec = read_chaos(R"(
version: 1
name: all
lasts: 1h
settles: 2d
policy: easy
fleet: {nodes: 4..8, gpus: 8, lease: 30s..5m}
jobs: {count: 10..20, nodes: 1..2, gpus: 0..4, length: 1m..1h, checkpoint: 0s..10m,
       preemptible: 40%, fail: 5%, stop: 2%}
network: {delay: 1ms..20ms, late: 1%, late_by: 1s..1m, twice: 3%}
faults:
  - {do: kill-node, at: 10m, node: 2, for: 5m}
  - {do: cut-node, every: 20m..40m, for: 1s..10m, way: to-node}
  - {do: step-clock, every: 1h, by: -10s..10s}
plant: device-zero
)");
  ASSERT_TRUE(spec) << spec.error().message;
  ChaosSpec expected;
  expected.name = "all";
  expected.lasts = seconds(3600);
  expected.settles = seconds(2 * 86'400);
  expected.policy = "easy";
  expected.fleet = {{4, 8}, {8, 8}, {seconds(30), seconds(300)}};
  expected.jobs = {
      {10, 20}, {1, 2}, {0, 4}, {seconds(60), seconds(3600)}, {seconds(0), seconds(600)}, 40, 5, 2};
  expected.network = {{milliseconds(1), milliseconds(20)}, 1, {seconds(1), seconds(60)}, 3};
  expected.plant = ChaosPlant::DeviceZero;
  ChaosFault kill;
  kill.at = seconds(600);
  kill.node = 2;
  kill.lasts = {seconds(300), seconds(300)};
  ChaosFault cut;
  cut.kind = ChaosFault::Kind::CutNode;
  cut.every = {seconds(1200), seconds(2400)};
  cut.lasts = {seconds(1), seconds(600)};
  cut.way = ChaosFault::Way::ToNode;
  ChaosFault step;
  step.kind = ChaosFault::Kind::StepClock;
  step.every = {seconds(3600), seconds(3600)};
  step.by = {seconds(-10), seconds(10)};
  expected.faults = {kill, cut, step};
  EXPECT_EQ(*spec, expected);
}

TEST(ChaosTextTest, ServicesAreReadToo) {
  const auto spec = read_chaos(
      "{version: 1, name: a, services: {count: 1..4, replicas: 0..3, gpus: 1, warm_up: 1s..5m, "
      "update: 10m..2h, bad: 20%}}");
  ASSERT_TRUE(spec) << spec.error().message;
  ChaosSpec::Services expected;
  expected.count = {1, 4};
  expected.replicas = {0, 3};
  expected.gpus = {1, 1};
  expected.warm_up = {seconds(1), seconds(300)};
  expected.update = {seconds(600), seconds(7200)};
  expected.bad_percent = 20;
  EXPECT_EQ(spec->services, expected);
  EXPECT_THAT(error_of("services: {count: 101}"), HasSubstr("services.count"));
}

TEST(ChaosTextTest, EachMistakeIsToldWithItsPlace) {
  EXPECT_THAT(error_of("lasts: 5\nfleets: {}\nfaults: [{do: kill-nod, at: 1m}]\n"),
              AllOf(HasSubstr("line 3, column 8: lasts: expected a time with a unit"),
                    HasSubstr("line 4, column 1: no such setting 'fleets'; did you mean 'fleet'?"),
                    HasSubstr("faults[0].do: expected one of kill-node")));
  EXPECT_THAT(error_of("jobs: {fail: 5}"), HasSubstr("jobs.fail: expected a share, as in 5%"));
  EXPECT_THAT(error_of("fleet: {nodes: many}"), HasSubstr("fleet.nodes: expected a whole number"));
  EXPECT_THAT(error_of("faults: [{at: 1m}]"), HasSubstr("faults[0]: 'do' is missing"));
}

TEST(ChaosTextTest, WhatContradictsItselfIsRefused) {
  EXPECT_THAT(error_of("faults: [{do: kill-node}]"), HasSubstr("give either 'at' or 'every'"));
  EXPECT_THAT(error_of("faults: [{do: kill-node, at: 2d}]"), HasSubstr("after the scenario's end"));
  EXPECT_THAT(error_of("faults: [{do: kill-node, at: 1h, node: 8}]"),
              HasSubstr("there is no node 8; they go from 0 to 7"));
  EXPECT_THAT(error_of("fleet: {nodes: 5..4}"), HasSubstr("within 1..10000, found 5..4"));
  EXPECT_THAT(error_of("jobs: {fail: 101%}"), HasSubstr("expected 0 to 100 percent, found 101"));
  EXPECT_THAT(error_of("policy: quick"), HasSubstr("or 'any'"));
  EXPECT_THAT(error_of("lasts: 366d\nfaults: [{do: kill-task, every: 1s}]"),
              HasSubstr("more than 100000 times"));
}

TEST(ChaosTextTest, WhatIsNoScenarioIsRefused) {
  EXPECT_THAT(read_chaos(" \n").error().message, HasSubstr("the scenario is empty"));
  EXPECT_THAT(read_chaos("[1]").error().message, HasSubstr("expected a map"));
  EXPECT_THAT(read_chaos("name: x").error().message, HasSubstr("'version' is missing"));
}

}  // namespace
}  // namespace gyre::codec
