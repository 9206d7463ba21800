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
      {10, 20}, {1, 2}, {0, 4}, {seconds(60), seconds(3600)}, {seconds(0), seconds(600)},
      {40, 40}, {5, 5}, {2, 2}};
  expected.network = {
      {milliseconds(1), milliseconds(20)}, {1, 1}, {seconds(1), seconds(60)}, {3, 3}, {}};
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

TEST(ChaosTextTest, DisksAndBadNetworksAreReadToo) {
  const auto spec = read_chaos(
      "{version: 1, name: a, jobs: {fail: 0%..20%}, network: {lost: 1%}, faults: [\n"
      "{do: slow-disk, of: server, every: 1h, for: 1m, by: 100ms..5s, chance: 25%},\n"
      "{do: slow-network, at: 1h, for: 1m, network: {delay: 1s, lost: 0%..5%}}]}");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->jobs.fail_percent, (CountRange{0, 20}));
  EXPECT_EQ(spec->network.lost_percent, (CountRange{1, 1}));
  ASSERT_EQ(spec->faults.size(), 2U);
  EXPECT_EQ(spec->faults[0].of, ChaosFault::Of::Server);
  EXPECT_EQ(spec->faults[0].by, (SpanRange{milliseconds(100), seconds(5)}));
  EXPECT_EQ(spec->faults[0].chance_percent, 25);
  EXPECT_EQ(spec->faults[1].kind, ChaosFault::Kind::SlowNetwork);
  EXPECT_EQ(spec->faults[1].network.lost_percent, (CountRange{0, 5}));
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
  expected.bad_percent = {20, 20};
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
  EXPECT_THAT(error_of("jobs: {fail: 101%}"), HasSubstr("expected 0% to 100% or a range"));
  EXPECT_THAT(error_of("jobs: {fail: 9%..5%}"), HasSubstr("jobs.fail: expected 0% to 100%"));
  EXPECT_THAT(error_of("faults: [{do: cut-node, at: 1h, of: server}]"),
              HasSubstr("faults[0].of: only a disk"));
  EXPECT_THAT(error_of("faults: [{do: slow-disk, at: 1h, for: 1m}]"),
              HasSubstr("faults[0].by: say how much longer"));
  EXPECT_THAT(error_of("faults: [{do: slow-network, at: 1h, for: 1m}]"),
              HasSubstr("faults[0].network: slow-network, and it alone, needs one"));
  EXPECT_THAT(error_of("faults: [{do: kill-task, at: 1h, chance: 101%}]"),
              HasSubstr("faults[0].chance"));
  EXPECT_THAT(error_of("network: {lost: 101%}"), HasSubstr("network.lost: expected 0%"));
  EXPECT_THAT(error_of("policy: quick"), HasSubstr("or 'any'"));
  EXPECT_THAT(error_of("lasts: 366d\nfaults: [{do: kill-task, every: 1s}]"),
              HasSubstr("more than 100000 times"));
}

std::string live_error_of(std::string_view rest) {
  const auto chaos = read_live_chaos(std::string(kHead) + std::string(rest));
  return chaos ? "no error" : chaos.error().message;
}

constexpr std::string_view kOneFault = "faults: [{do: kill-task, every: 1m}]\n";

TEST(ChaosTextTest, TheBoundsOfARunningFleetAreRead) {
  const auto chaos = read_live_chaos(std::string(kHead) + std::string(kOneFault) + R"(
live:
  hours: 22:30..04:00
  days: [mon..wed, sat]
  nodes_at_once: 2
  faults_a_day: 12
  calm: 5m
  recovers_within: 90s
  nodes: [node-1, 7]
  queues: [batch]
  tenants: [a, b]
)");
  ASSERT_TRUE(chaos) << chaos.error().message;
  LiveLimits expected;
  expected.from = seconds(81'000);
  expected.to = seconds(14'400);
  expected.days = 0b0100111;
  expected.nodes_at_once = 2;
  expected.faults_a_day = 12;
  expected.calm = seconds(300);
  expected.recovers_within = seconds(90);
  expected.nodes = {"node-1", "7"};
  expected.queues = {"batch"};
  expected.tenants = {"a", "b"};
  EXPECT_EQ(chaos->limits, expected);
  EXPECT_TRUE(read_chaos(std::string(kHead) + "live: {calm: 1m}"));
}

TEST(ChaosTextTest, HoursAreInUtcAndMayPassMidnight) {
  const Time friday{seconds(1 * 86'400).ns};  // 1970-01-02
  LiveLimits night;
  night.from = seconds(22 * 3600);
  night.to = seconds(4 * 3600);
  night.days = 1U << 4U;
  EXPECT_TRUE(night.open_at(friday + seconds(3600)));
  EXPECT_FALSE(night.open_at(friday + seconds(4 * 3600)));
  EXPECT_TRUE(night.open_at(friday + seconds(23 * 3600)));
  EXPECT_FALSE(night.open_at(friday + seconds(25 * 3600)));
  EXPECT_TRUE(LiveLimits{}.open_at(friday));
}

TEST(ChaosTextTest, BoundsThatMakeNoSenseAreRefused) {
  EXPECT_THAT(error_of("live: {houres: 1}"), HasSubstr("did you mean 'hours'?"));
  EXPECT_THAT(error_of("live: {hours: 9..17}"), HasSubstr("live.hours: expected two times"));
  EXPECT_THAT(error_of("live: {hours: 09:00..24:01}"), HasSubstr("expected two times"));
  EXPECT_THAT(error_of("live: {hours: 09:00..09:00}"), HasSubstr("they begin when they end"));
  EXPECT_THAT(error_of("live: {days: someday}"), HasSubstr("expected a day of the week"));
  EXPECT_THAT(error_of("live: {days: []}"), HasSubstr("live.days: there is none"));
  EXPECT_THAT(error_of("live: {nodes_at_once: 0}"), HasSubstr("from 1 to 100, found 0"));
  EXPECT_THAT(error_of("live: {faults_a_day: 501}"), HasSubstr("from 1 to 500, found 501"));
  EXPECT_THAT(error_of("live: {calm: -1s}"), HasSubstr("live.calm: expected a time"));
  EXPECT_THAT(error_of("live: {nodes: a}"), HasSubstr("live.nodes: expected a list of names"));
}

TEST(ChaosTextTest, WhatARunningFleetCannotHaveIsNamed) {
  EXPECT_THAT(live_error_of("network: {twice: 1%}\n"
                            "faults:\n"
                            "  - {do: slow-disk, every: 1h, for: 1m, by: 1s}\n"
                            "  - {do: kill-task, every: 1h}\n"
                            "  - {do: break-disk, every: 1h, for: 1m}\n"
                            "  - {do: cut-node, every: 1h, for: 1s..11m}\n"
                            "  - {do: pause-agent, every: 1h, node: 1}\n"
                            "  - {do: step-clock, every: 1h, by: 1m}\n"
                            "  - {do: slow-network, every: 1h, for: 1m, network: {lost: 1%}}\n"),
              AllOf(HasSubstr("network.twice: over a real connection nothing comes twice"),
                    HasSubstr("faults[0]: a running fleet cannot have slow-disk"),
                    HasSubstr("faults[2]: a running fleet cannot have break-disk"),
                    HasSubstr("faults[3].for: 10m"), HasSubstr("faults[4].node: numbers mean"),
                    HasSubstr("faults[5]: a running server's clock comes back"),
                    HasSubstr("faults[6]: a running node has one network")));
  EXPECT_THAT(live_error_of(""), HasSubstr("faults: there is none"));
  EXPECT_EQ(live_error_of(kOneFault), "no error");
  EXPECT_EQ(live_error_of("network: {delay: 1ms..20ms, late: 1%, lost: 1%}\n"
                          "faults:\n"
                          "  - {do: kill-node, every: 1h, for: 1m}\n"
                          "  - {do: break-gpu, every: 1h, for: 1m}\n"
                          "  - {do: fill-disk, every: 1h, for: 1m}\n"
                          "  - {do: fill-disk, of: server, every: 1h, for: 1m}\n"
                          "  - {do: kill-server, every: 1h, for: 1s}\n"
                          "  - {do: pause-server, every: 1h, for: 1s}\n"
                          "  - {do: step-clock, every: 1h, for: 1m, by: -1m..1m}\n"),
            "no error");
}

TEST(ChaosTextTest, WhatIsNoScenarioIsRefused) {
  EXPECT_THAT(read_chaos(" \n").error().message, HasSubstr("the scenario is empty"));
  EXPECT_THAT(read_chaos("[1]").error().message, HasSubstr("expected a map"));
  EXPECT_THAT(read_chaos("name: x").error().message, HasSubstr("'version' is missing"));
}

}  // namespace
}  // namespace gyre::codec
