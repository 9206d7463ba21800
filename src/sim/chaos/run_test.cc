// A server and a fleet under faults: nothing is lost or doubled, and what is planted is found.
#include "sim/chaos/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>

namespace gyre::sim {
namespace {

using ::testing::IsEmpty;

using Kind = ChaosFault::Kind;

ChaosFault every(Kind kind, Duration mean, SpanRange lasts) {
  ChaosFault fault;
  fault.kind = kind;
  fault.every = SpanRange{mean, mean};
  fault.lasts = lasts;
  return fault;
}

/// Six hours of eight nodes in which everything breaks.
ChaosSpec rough_day() {
  ChaosSpec spec;
  spec.name = "rough-day";
  spec.lasts = seconds(6 * 3600);
  spec.fleet = {{3, 8}, {1, 8}, {seconds(30), seconds(600)}};
  spec.jobs.count = {40, 120};
  spec.jobs.nodes = {1, 3};
  spec.jobs.checkpoint = {seconds(0), seconds(900)};
  spec.jobs.fail_percent = {5, 5};
  spec.jobs.stop_percent = {5, 5};
  spec.network = {
      {milliseconds(1), milliseconds(50)}, {2, 2}, {seconds(1), seconds(120)}, {5, 5}, {0, 1}};
  const SpanRange while_away{seconds(1), seconds(1800)};
  spec.faults = {every(Kind::KillNode, seconds(3600), while_away),
                 every(Kind::CutNode, seconds(1800), while_away),
                 every(Kind::CutNode, seconds(1800), while_away),
                 every(Kind::PauseAgent, seconds(3600), while_away),
                 every(Kind::RestartAgent, seconds(3600), while_away),
                 every(Kind::KillTask, seconds(1200), {}),
                 every(Kind::HangTask, seconds(3600), {}),
                 every(Kind::BreakGpu, seconds(3600), while_away),
                 every(Kind::DrainNode, seconds(7200), while_away),
                 every(Kind::KillServer, seconds(1800), {seconds(0), seconds(600)}),
                 every(Kind::PauseServer, seconds(7200), {seconds(1), seconds(600)}),
                 every(Kind::StepClock, seconds(3600), {}),
                 every(Kind::SlowNetwork, seconds(3600), while_away)};
  spec.faults[2].way = ChaosFault::Way::ToNode;
  spec.faults[11].by = {seconds(-600), seconds(600)};
  spec.faults.back().network = {
      {seconds(1), seconds(5)}, {0, 50}, {seconds(1), seconds(60)}, {0, 20}, {0, 20}};
  for (const Kind kind : {Kind::FillDisk, Kind::SlowDisk, Kind::BreakDisk}) {
    for (const ChaosFault::Of of : {ChaosFault::Of::Node, ChaosFault::Of::Server}) {
      ChaosFault fault = every(kind, seconds(7200), {seconds(1), seconds(600)});
      fault.of = of;
      if (kind == Kind::SlowDisk) fault.by = {milliseconds(100), seconds(10)};
      spec.faults.push_back(fault);
    }
  }
  return spec;
}

std::string told(const ChaosReport& report) {
  std::string all = "seed " + std::to_string(report.seed);
  for (const Violation& violation : report.violations) all += "\n" + describe(violation);
  return all;
}

TEST(ChaosTest, NothingIsLostOrDoubledWhateverBreaks) {
  const ChaosSpec spec = rough_day();
  ChaosReport all;
  all.faults.resize(chaos_fault_names().size());
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const ChaosReport report = run_chaos(spec, seed);
    ASSERT_THAT(report.violations, IsEmpty()) << told(report);
    EXPECT_EQ(report.jobs, report.succeeded + report.failed + report.cancelled);
    all.recoveries += report.recoveries;
    all.repairs += report.repairs;
    all.succeeded += report.succeeded;
    for (std::size_t i = 0; i < all.faults.size(); ++i) all.faults[i] += report.faults[i];
  }
  EXPECT_GT(all.recoveries, 100U);
  EXPECT_GT(all.repairs, 5U);
  EXPECT_GT(all.succeeded, 500U);
  for (std::size_t i = 0; i < all.faults.size(); ++i) {
    EXPECT_GT(all.faults[i], 10U) << chaos_fault_names()[i];
  }
}

/// The same with services, whose owners change their minds.
ChaosSpec rough_day_of_services() {
  ChaosSpec spec = rough_day();
  spec.jobs.count = {10, 40};
  spec.services.count = {1, 4};
  spec.services.replicas = {0, 3};
  spec.services.update = {seconds(600), seconds(7200)};
  spec.services.bad_percent = {30, 30};
  return spec;
}

TEST(ChaosTest, ServicesKeepWhatTheyWantWhateverBreaks) {
  const ChaosSpec spec = rough_day_of_services();
  std::uint64_t replicas = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const ChaosReport report = run_chaos(spec, seed);
    ASSERT_THAT(report.violations, IsEmpty()) << told(report);
    EXPECT_EQ(report.jobs, report.succeeded + report.failed + report.cancelled);
    replicas += report.cancelled;
  }
  EXPECT_GT(replicas, 300U);
}

/// One node, one job, and one fault that begins with it and lasts.
ChaosReport one_fault(ChaosFault fault) {
  ChaosSpec spec;
  spec.lasts = seconds(3600);
  spec.fleet.nodes = {1, 1};
  spec.jobs.count = {1, 1};
  spec.jobs.length = {seconds(60), seconds(60)};
  fault.at = seconds(0);
  fault.every.reset();
  spec.faults = {fault};
  return run_chaos(spec, 1);
}

TEST(ChaosTest, NothingIsDoneThatAServersFullDiskDidNotTake) {
  ChaosFault fault;
  fault.kind = Kind::FillDisk;
  fault.of = ChaosFault::Of::Server;
  fault.lasts = {seconds(5 * 3600), seconds(5 * 3600)};
  const ChaosReport full = one_fault(fault);
  EXPECT_THAT(full.violations, IsEmpty()) << told(full);
  EXPECT_EQ(full.succeeded, 1U);
  EXPECT_GT(full.ended_at, Time{} + seconds(5 * 3600)) << "its job began when there was room";
  fault.kind = Kind::BreakDisk;
  const ChaosReport broken = one_fault(fault);
  EXPECT_THAT(broken.violations, IsEmpty()) << told(broken);
  EXPECT_EQ(broken.recoveries, 1U) << "it ended itself, and was started again";
  EXPECT_EQ(broken.succeeded, 1U);
}

TEST(ChaosTest, NothingStartsOnANodeWhoseDiskIsFull) {
  ChaosFault fault;
  fault.kind = Kind::FillDisk;
  fault.lasts = {seconds(4000), seconds(4000)};
  const ChaosReport full = one_fault(fault);
  EXPECT_THAT(full.violations, IsEmpty()) << told(full);
  fault.kind = Kind::SlowDisk;
  fault.by = {seconds(1000), seconds(1000)};
  const ChaosReport slow = one_fault(fault);
  EXPECT_THAT(slow.violations, IsEmpty()) << told(slow);
  EXPECT_GT(slow.ended_at, Time{} + seconds(2000)) << "it starts late, and is heard late";
  EXPECT_NE(full.digest, slow.digest);
}

TEST(ChaosTest, AFaultComesInAsManySeedsAsItsScenarioSays) {
  ChaosSpec spec;
  spec.jobs.count = {0, 0};
  spec.faults = {every(Kind::DrainNode, seconds(3600), {seconds(60), seconds(60)})};
  spec.faults[0].chance_percent = 30;
  spec.network.late_percent = {0, 100};
  int seeds = 0;
  std::set<std::int64_t> shares;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const ChaosPlan plan = plan_chaos(spec, seed);
    seeds += plan.faults.empty() ? 0 : 1;
    EXPECT_EQ(plan.network.late_percent.min, plan.network.late_percent.max);
    shares.insert(plan.network.late_percent.min);
  }
  EXPECT_GT(seeds, 30);
  EXPECT_LT(seeds, 90);
  EXPECT_GT(shares.size(), 50U);
}

TEST(ChaosDeterminismTest, TheSameSeedIsTheSameLifeOfServices) {
  const ChaosSpec spec = rough_day_of_services();
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    EXPECT_EQ(run_chaos(spec, seed).digest, run_chaos(spec, seed).digest);
  }
}

TEST(ChaosDeterminismTest, TheSameSeedIsTheSameLife) {
  const ChaosSpec spec = rough_day();
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const ChaosReport once = run_chaos(spec, seed);
    const ChaosReport again = run_chaos(spec, seed);
    EXPECT_EQ(once.digest, again.digest);
    EXPECT_EQ(once.events, again.events);
    EXPECT_EQ(once.ended_at, again.ended_at);
    EXPECT_NE(once.digest, run_chaos(spec, seed + 100).digest);
  }
}

TEST(ChaosTest, AFaultHappensWhenItsScenarioSays) {
  ChaosSpec spec;
  spec.jobs.count = {0, 0};
  ChaosFault kill;
  kill.at = seconds(600);
  kill.node = 2;
  kill.lasts = {seconds(60), seconds(60)};
  spec.faults = {kill};
  const ChaosReport report = run_chaos(spec, 1);
  EXPECT_THAT(report.violations, IsEmpty()) << told(report);
  EXPECT_EQ(report.faults[static_cast<std::size_t>(Kind::KillNode)], 1U);
  EXPECT_EQ(report.nodes, 8U);
  // 1 policy, 1 playbook, 1 queue, 8 nodes, and node 2 is silent and is heard again: no lease ran
  // out.
  EXPECT_EQ(report.events, 13U);
}

TEST(ChaosTest, ANodeThatStaysAwayIsGivenUpAndComesBackEmpty) {
  ChaosSpec spec;
  spec.jobs.count = {0, 0};
  ChaosFault cut;
  cut.kind = Kind::CutNode;
  cut.at = seconds(600);
  cut.lasts = {seconds(3600), seconds(3600)};
  spec.faults = {cut};
  // As above, but lost and returned, and a tick when that is forgotten.
  EXPECT_EQ(run_chaos(spec, 1).events, 15U);
}

struct Planted {
  ChaosPlant plant;
  std::vector<Invariant> found_by;
};
class ChaosPlantTest : public ::testing::TestWithParam<Planted> {};

TEST_P(ChaosPlantTest, IsFoundByTheInvariantThatItBreaks) {
  ChaosSpec spec = rough_day_of_services();
  spec.plant = GetParam().plant;
  const auto& found_by = GetParam().found_by;
  std::optional<Violation> found;
  for (std::uint64_t seed = 1; seed <= 40 && !found; ++seed) {
    const ChaosReport report = run_chaos(spec, seed);
    if (!report.violations.empty()) found = report.violations.front();
  }
  ASSERT_TRUE(found) << "no seed found it";
  EXPECT_THAT(found_by, ::testing::Contains(found->invariant)) << describe(*found);
}

INSTANTIATE_TEST_SUITE_P(
    Chaos, ChaosPlantTest,
    ::testing::Values(Planted{ChaosPlant::LeaseIgnored, {Invariant::TaskOnce}},
                      Planted{ChaosPlant::StartRepeated, {Invariant::TaskOnce}},
                      Planted{ChaosPlant::MissingUnnoticed,
                              {Invariant::Converges, Invariant::NoLeak}},
                      Planted{ChaosPlant::OrphanKept, {Invariant::NoLeak}},
                      Planted{ChaosPlant::DeviceZero, {Invariant::DeviceShared}},
                      Planted{ChaosPlant::JournalTailIgnored, {Invariant::RecoversAlike}},
                      Planted{ChaosPlant::ReadyUnasked, {Invariant::ServiceKept}}),
    [](const auto& planted) {
      std::string name(chaos_plant_names()[static_cast<std::size_t>(planted.param.plant)]);
      name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
      return name;
    });

}  // namespace
}  // namespace gyre::sim
