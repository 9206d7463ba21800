// What the core does about what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/controller.h"

namespace gyre::control {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Outcome = Incident::Outcome;

class HealingTest : public ::testing::Test {
 protected:
  HealingTest() : core_(Config{}) {
    tell(PolicySet{*policy_by_name("preemptive")});
    tell(QueueSet{{"default", ""}});
    HealingSpec spec = default_healing();
    spec.quarantine = seconds(600);
    spec.remember = seconds(7200);
    spec.quarantined_percent_max = 50;
    tell(HealingSet{spec});
    for (std::uint32_t i = 0; i < 4; ++i) {
      tell(NodeJoined{{i}, {"n" + std::to_string(i), "", "A100", 8, {81920}, {64000}, {524288}}});
    }
  }

  const Decisions& tell(Event::Body body) {
    return core_.step({now_, EventSeq{++seq_}, std::move(body)});
  }
  const Decisions& tick(Duration later) {
    now_ = now_ + later;
    return tell(Tick{});
  }
  JobId submit(std::int32_t gpus, bool preemptible = false) {
    const JobId id{core_.jobs().last().value + 1};
    JobSpec spec;
    spec.tasks = {{1, {}}};
    spec.tasks[0].request.gpus = gpus;
    spec.preemptible = preemptible;
    tell(JobSubmitted{id, spec, {}});
    return id;
  }
  const Job& job(JobId id) const { return *core_.jobs().find(id); }
  NodeId node_of(JobId id) const { return job(id).placement.at(0).node; }
  void start(JobId id) { tell(TaskStarted{id, job(id).attempt, 0}); }
  bool open(std::uint32_t node) const { return core_.cluster().node({node}).open(); }
  const Incident& last() const { return core_.healer().incidents().back(); }

  Time now_;
  std::uint64_t seq_ = 0;
  Controller core_;
};

template <class Body>
std::vector<Body> commands_of(const Decisions& decisions) {
  std::vector<Body> found;
  for (const Command& command : decisions.commands) {
    if (const auto* body = std::get_if<Body>(&command.body)) found.push_back(*body);
  }
  return found;
}

TEST_F(HealingTest, ADeviceFaultTakesTheNodeOutAndMovesWhatMayBeMoved) {
  const JobId stays = submit(4);
  const JobId moves = submit(4, true);
  start(stays);
  start(moves);
  ASSERT_EQ(node_of(stays), NodeId{0});
  ASSERT_EQ(node_of(moves), NodeId{0});
  const Decisions& made = tell(GpuErrorSeen{{0}, 3, 79});
  EXPECT_THAT(commands_of<QuarantineNode>(made),
              ElementsAre(QuarantineNode{{0}, now_ + seconds(600), true, 1}));
  ASSERT_EQ(commands_of<StopGang>(made).size(), 1U);
  EXPECT_EQ(commands_of<StopGang>(made)[0].job, moves);
  EXPECT_EQ(job(stays).state, JobState::Running);
  EXPECT_FALSE(open(0));
  EXPECT_EQ(last().evidence, "Xid 79 of GPU 3: GPU has fallen off the bus");

  EXPECT_EQ(core_.next_wakeup(), now_ + seconds(600));
  const Decisions& later = tick(seconds(600));
  EXPECT_THAT(commands_of<ReleaseNode>(later), ElementsAre(ReleaseNode{{0}, 1}));
  EXPECT_TRUE(open(0));
  EXPECT_EQ(last().outcome, Outcome::Recovered);
}

TEST_F(HealingTest, AMoveSaysByWhatTheWorkIsKept) {
  for (const int kind : {0, 1, 2}) {
    const JobId id{core_.jobs().last().value + 1};
    JobSpec spec;
    spec.tasks = {{1, {}}};
    spec.tasks[0].request.gpus = 2;
    spec.preemptible = true;
    if (kind > 0) spec.checkpoint.interval = seconds(60);
    if (kind > 1) spec.checkpoint.signal = 10;
    tell(JobSubmitted{id, spec, {}});
    start(id);
  }
  const JobId stays = submit(2);
  start(stays);
  tell(GpuErrorSeen{{0}, 3, 79});
  const std::vector<Move> expected{
      {{1}, Keeping::Nothing}, {{2}, Keeping::LastCheckpoint}, {{3}, Keeping::CheckpointSignal}};
  EXPECT_EQ(last().moved, expected);
  const auto restored = Controller::restore(Config{}, core_.state());
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->healer().incidents().back().moved, expected);
}

TEST_F(HealingTest, WhatWasHeldIsDoneWhenTheBuiltInPlaybooksComeBack) {
  HealingSpec own = core_.healer().spec();
  HealingSpec standard = own;
  own.name = "careful";
  own.quarantined_percent_max = 0;
  standard.quarantined_percent_max = 50;
  tell(HealingSet{own});
  EXPECT_THAT(commands_of<QuarantineNode>(tell(GpuErrorSeen{{0}, 3, 79})), ::testing::IsEmpty());
  EXPECT_EQ(last().outcome, Outcome::Held);
  EXPECT_EQ(commands_of<QuarantineNode>(tell(HealingSet{standard})).size(), 1U);
  EXPECT_FALSE(open(0));
}

TEST_F(HealingTest, ANodeWithAHistoryIsTakenLastUntilItIsForgotten) {
  tell(GpuErrorSeen{{0}, 0, 48});
  tick(seconds(600));
  ASSERT_TRUE(open(0));
  EXPECT_EQ(node_of(submit(8)), NodeId{1});
  EXPECT_EQ(node_of(submit(8)), NodeId{2});
  EXPECT_EQ(node_of(submit(8)), NodeId{3});
  const JobId last_choice = submit(8);
  EXPECT_EQ(node_of(last_choice), NodeId{0}) << "better than to wait";
  start(last_choice);
  tell(TaskEnded{last_choice, 1, 0, {}});
  tell(TaskEnded{{1}, 1, 0, {}});
  tick(seconds(7200));
  EXPECT_EQ(node_of(submit(8)), NodeId{0});
}

TEST_F(HealingTest, AGangPrefersSoundNodesToo) {
  tell(GpuErrorSeen{{0}, 0, 48});
  tick(seconds(600));
  JobSpec spec;
  spec.tasks = {{3, {}}};
  spec.tasks[0].request.gpus = 8;
  tell(JobSubmitted{{1}, spec, {}});
  std::vector<NodeId> nodes;
  for (const TaskPlacement& task : job({1}).placement) nodes.push_back(task.node);
  EXPECT_THAT(nodes, ElementsAre(NodeId{1}, NodeId{2}, NodeId{3}));
}

TEST_F(HealingTest, WhatIsHarmlessOrTheProgramsFaultTakesNoNodeOut) {
  EXPECT_THAT(tell(GpuErrorSeen{{0}, 0, 63}).commands, IsEmpty());
  EXPECT_THAT(core_.healer().incidents(), IsEmpty());
  EXPECT_THAT(tell(GpuErrorSeen{{0}, 0, 31}).commands, IsEmpty());
  EXPECT_EQ(last().outcome, Outcome::Noted);
  EXPECT_THAT(tell(GpuErrorSeen{{99}, 0, 79}).commands, IsEmpty()) << "there is no such node";
  EXPECT_TRUE(open(0));
}

TEST_F(HealingTest, APersonsWordGoesFirst) {
  tell(GpuErrorSeen{{0}, 0, 79});
  tell(NodeDutySet{{0}, NodeDuty::Cordoned});
  EXPECT_FALSE(open(0));
  const Decisions& made = tell(NodeDutySet{{0}, NodeDuty::Open});
  EXPECT_THAT(commands_of<ReleaseNode>(made), ElementsAre(ReleaseNode{{0}, 1}));
  EXPECT_TRUE(open(0));
  EXPECT_EQ(last().outcome, Outcome::Undone);
  EXPECT_EQ(node_of(submit(8)), NodeId{0}) << "its history is forgotten";
}

TEST_F(HealingTest, ATaskThatHangsIsEndedAndTriedAgain) {
  const JobId id = submit(1);
  start(id);
  EXPECT_THAT(tell(TaskStalled{id, 7, 0, seconds(600)}).commands, IsEmpty()) << "an old attempt";
  const Decisions& made = tell(TaskStalled{id, 1, 0, seconds(600)});
  ASSERT_EQ(commands_of<StopGang>(made).size(), 1U);
  EXPECT_EQ(job(id).state, JobState::Stopping);
  EXPECT_THAT(tell(TaskStalled{id, 1, 0, seconds(1200)}).commands, IsEmpty()) << "on its way";
  now_ = now_ + seconds(5);
  tell(TaskEnded{id, 1, 0, {TaskExit::Kind::Signaled, 15, true, ""}});
  EXPECT_EQ(job(id).state, JobState::Queued);
  EXPECT_THAT(job(id).exit.message, ::testing::HasSubstr("made no progress"));
  tick(seconds(2));
  ASSERT_EQ(job(id).attempt, 2);
  start(id);
  EXPECT_EQ(last().job, id);
  EXPECT_EQ(last().symptom, Symptom::TaskStalled);
  EXPECT_EQ(last().outcome, Outcome::Recovered);
  EXPECT_EQ(*last().closed_at - last().at, seconds(2));
}

TEST_F(HealingTest, WithoutAPlaybookAHangIsLeftAlone) {
  tell(HealingSet{});
  const JobId id = submit(1);
  start(id);
  EXPECT_THAT(tell(TaskStalled{id, 1, 0, seconds(600)}).commands, IsEmpty());
  EXPECT_THAT(tell(GpuErrorSeen{{0}, 0, 79}).commands, IsEmpty());
}

TEST_F(HealingTest, ARestoredCoreGoesOnHealing) {
  tell(GpuErrorSeen{{0}, 0, 79});
  tell(GpuErrorSeen{{1}, 0, 999});
  tell(GpuErrorSeen{{2}, 0, 79});
  ASSERT_EQ(last().outcome, Outcome::Held);
  auto twin = Controller::restore(Config{}, core_.state());
  ASSERT_TRUE(twin) << twin.error().message;
  EXPECT_EQ(twin->state(), core_.state());
  EXPECT_FALSE(twin->cluster().node({0}).open());
  EXPECT_EQ(twin->next_wakeup(), core_.next_wakeup());
  const Event later{now_ + seconds(600), EventSeq{seq_ + 1}, Tick{}};
  const Commands original = core_.step(later).commands;
  EXPECT_EQ(twin->step(later).commands, original);
  EXPECT_EQ(original.size(), 3U) << "two back, the third out";
}

TEST_F(HealingTest, TheHardwareIsRepairedWhereNothingRunsAndTestedBeforeItComesBack) {
  HealingSpec spec = core_.healer().spec();
  spec.name = "hardware";
  spec.rules = {{Symptom::DeviceFault, 1, seconds(7200), Remedy::Evacuate, 0, Repair::Reset, true}};
  tell(HealingSet{spec});
  const JobId moves = submit(4, true);
  start(moves);
  const Decisions& out = tell(GpuErrorSeen{{0}, 3, 79});
  EXPECT_THAT(commands_of<RepairNode>(out), IsEmpty()) << "something runs there";
  const Decisions& empty = tell(TaskEnded{moves, 1, 0, {TaskExit::Kind::Signaled, 15, true, ""}});
  const auto resets = commands_of<RepairNode>(empty);
  ASSERT_EQ(resets.size(), 1U);
  EXPECT_EQ(resets[0], (RepairNode{{0}, Repair::Reset, 3, last().id, now_, spec.repair_max}));
  const auto waiting = core_.outstanding();
  ASSERT_FALSE(waiting.empty()) << "a world that starts afresh is told again";
  const auto twin = Controller::restore(Config{}, core_.state());
  ASSERT_TRUE(twin);
  EXPECT_EQ(twin->outstanding(), waiting);

  const auto order = [this] { return core_.healer().health({0}).underway->command; };
  EXPECT_THAT(tell(RepairEnded{{0}, {order().value + 1}, true, ""}).commands, IsEmpty());
  tell(RepairEnded{{0}, order(), true, "GPU 3 was reset"});
  EXPECT_FALSE(open(0));
  tell(NodeContact{{0}, true});
  EXPECT_THAT(commands_of<RepairNode>(tick(seconds(600))), IsEmpty()) << "nobody is there";
  EXPECT_FALSE(open(0)) << "time alone does not bring it back";
  const auto test = commands_of<RepairNode>(tell(NodeContact{{0}, false}));
  ASSERT_EQ(test.size(), 1U);
  EXPECT_EQ(test[0].repair, Repair::BurnIn);
  const Decisions& back = tell(RepairEnded{{0}, order(), true, "passed"});
  EXPECT_THAT(commands_of<ReleaseNode>(back), ElementsAre(ReleaseNode{{0}, last().id}));
  EXPECT_TRUE(open(0));
  EXPECT_EQ(last().outcome, Outcome::Recovered);
  EXPECT_EQ(last().steps.size(), 2U);
}

TEST_F(HealingTest, AMachineThatIsStartedAnewIsNotHeldToBeLost) {
  HealingSpec spec = core_.healer().spec();
  spec.name = "hardware";
  spec.rules = {{Symptom::DeviceFault, 1, seconds(7200), Remedy::Evacuate, 0, Repair::Reboot},
                {Symptom::NodeLost, 1, seconds(7200), Remedy::Cordon}};
  tell(HealingSet{spec});
  tell(GpuErrorSeen{{0}, 3, 79});
  ASSERT_TRUE(core_.healer().reboots({0}));
  tell(NodeLost{{0}, "not heard"});
  EXPECT_EQ(last().symptom, Symptom::DeviceFault);
  tell(NodeReturned{{0}});
  tell(RepairEnded{{0}, core_.healer().health({0}).underway->command, true, "started anew"});
  EXPECT_THAT(commands_of<ReleaseNode>(tick(seconds(600))), ElementsAre(ReleaseNode{{0}, 1}));
}

TEST_F(HealingTest, ATestThatFailsLeavesTheNodeOut) {
  HealingSpec spec = core_.healer().spec();
  spec.name = "hardware";
  spec.rules = {{Symptom::DeviceFault, 1, seconds(7200), Remedy::Evacuate, 0, Repair::None, true}};
  tell(HealingSet{spec});
  tell(GpuErrorSeen{{0}, 3, 79});
  tick(seconds(600));
  const Decisions& failed =
      tell(RepairEnded{{0}, core_.healer().health({0}).underway->command, false, "wrong"});
  EXPECT_THAT(commands_of<QuarantineNode>(failed),
              ElementsAre(QuarantineNode{{0}, Time::max(), false, 1}));
  EXPECT_EQ(last().outcome, Outcome::Failed);
  tick(seconds(86'400));
  EXPECT_FALSE(open(0));
  tell(NodeDutySet{{0}, NodeDuty::Open});
  EXPECT_TRUE(open(0));
}

TEST_F(HealingTest, NothingNewIsPutWhereNobodyCanTellHowAGpuIs) {
  const JobId runs = submit(4);
  start(runs);
  ASSERT_EQ(node_of(runs), NodeId{0});
  tell(GpuHealthSeen{{0}, 2, GpuHealth::Unknown});
  EXPECT_FALSE(open(0));
  EXPECT_EQ(job(runs).state, JobState::Running) << "it may well go on";
  EXPECT_EQ(last().symptom, Symptom::GpuUnknown);
  EXPECT_EQ(last().outcome, Outcome::Open);
  EXPECT_EQ(last().devices, 1U << 2U);
  EXPECT_NE(node_of(submit(4)), NodeId{0});
  tell(GpuHealthSeen{{0}, 3, GpuHealth::Unknown});
  EXPECT_EQ(last().repeats, 1);
  tell(NodeDutySet{{0}, NodeDuty::Open});
  EXPECT_FALSE(open(0)) << "a person does not know it either";
  tell(GpuHealthSeen{{0}, 2, GpuHealth::Ok});
  EXPECT_FALSE(open(0));
  now_ = now_ + seconds(40);
  tell(GpuHealthSeen{{0}, 3, GpuHealth::Ok});
  EXPECT_TRUE(open(0));
  EXPECT_EQ(last().outcome, Outcome::Recovered);
  EXPECT_EQ(*last().closed_at - last().at, seconds(40));
  EXPECT_FALSE(core_.cluster().node({0}).suspect);
}

TEST_F(HealingTest, ItIsNoMatterHowManyNodesAreSilent) {
  for (std::uint32_t i = 0; i < 4; ++i) tell(GpuHealthSeen{{i}, 0, GpuHealth::Unknown});
  const JobId id = submit(1);
  EXPECT_EQ(job(id).state, JobState::Queued);
  tell(HealingSet{});
  EXPECT_EQ(job(id).state, JobState::Queued) << "with or without a playbook";
  tell(GpuHealthSeen{{2}, 0, GpuHealth::Ok});
  EXPECT_EQ(node_of(id), NodeId{2});
}

TEST_F(HealingTest, ALostGpuIsAnsweredAsItsXidAndCountedOnce) {
  const JobId moves = submit(4, true);
  start(moves);
  const Decisions& made = tell(GpuHealthSeen{{0}, 3, GpuHealth::Lost});
  EXPECT_THAT(commands_of<QuarantineNode>(made),
              ElementsAre(QuarantineNode{{0}, now_ + seconds(600), true, 1}));
  EXPECT_EQ(last().xid, 79);
  EXPECT_EQ(last().evidence, "GPU 3 is lost, as after Xid 79: GPU has fallen off the bus");
  EXPECT_THAT(tell(GpuErrorSeen{{0}, 3, 79}).commands, IsEmpty()) << "the same fall";
  EXPECT_EQ(last().repeats, 0);
  tick(seconds(600));
  EXPECT_FALSE(open(0)) << "the quarantine is over, but the GPU is not back";
  tell(GpuHealthSeen{{0}, 3, GpuHealth::Ok});
  EXPECT_TRUE(open(0));

  tell(GpuErrorSeen{{1}, 1, 79});
  const auto incidents = core_.healer().incidents().size();
  EXPECT_THAT(commands_of<QuarantineNode>(tell(GpuHealthSeen{{1}, 1, GpuHealth::Lost})), IsEmpty());
  EXPECT_EQ(core_.healer().incidents().size(), incidents) << "the same the other way round";
}

TEST_F(HealingTest, WhatTellsOfNoGpuOfTheNodeIsIgnored) {
  for (const std::int32_t device : {-1, 8, 16, 1 << 30}) {
    tell(GpuHealthSeen{{0}, device, GpuHealth::Lost});
  }
  tell(GpuHealthSeen{{4}, 0, GpuHealth::Lost});
  tell(GpuHealthSeen{{0}, 0, GpuHealth::Ok});
  EXPECT_TRUE(open(0));
  EXPECT_THAT(core_.healer().incidents(), IsEmpty());
}

TEST_F(HealingTest, ARestoredCoreKnowsWhichGpusAreNotWell) {
  tell(GpuHealthSeen{{0}, 0, GpuHealth::Unknown});
  tell(GpuHealthSeen{{1}, 7, GpuHealth::Lost});
  auto twin = Controller::restore(Config{}, core_.state());
  ASSERT_TRUE(twin) << twin.error().message;
  EXPECT_EQ(twin->state(), core_.state());
  EXPECT_FALSE(twin->cluster().node({0}).open());
  const Event known{now_, EventSeq{seq_ + 1}, GpuHealthSeen{{0}, 0, GpuHealth::Ok}};
  twin->step(known);
  EXPECT_TRUE(twin->cluster().node({0}).open());
}

TEST_F(HealingTest, WhatIsHeldIsDoneWhenNodesJoinOrComeBack) {
  for (std::uint32_t i = 0; i < 3; ++i) tell(GpuErrorSeen{{i}, 0, 48});
  ASSERT_EQ(last().outcome, Outcome::Held);
  tell(NodeJoined{{4}, {"n4", "", "A100", 8, {81920}, {64000}, {524288}}});
  EXPECT_EQ(last().outcome, Outcome::Held) << "half of five are two";
  const Decisions& made = tell(NodeJoined{{5}, {"n5", "", "A100", 8, {81920}, {64000}, {524288}}});
  ASSERT_EQ(commands_of<QuarantineNode>(made).size(), 1U);
  EXPECT_EQ(commands_of<QuarantineNode>(made)[0].node, NodeId{2});
}

TEST_F(HealingTest, TasksWithoutARecordAreAnIncident) {
  for (const HealingSpec& spec : {default_healing(), HealingSpec{}}) {
    tell(HealingSet{spec});
    tell(OrphansEnded{{1}, "2 tasks"});
    EXPECT_EQ(last().symptom, Symptom::TaskUnrecorded);
    EXPECT_EQ(last().node, NodeId{1});
    EXPECT_EQ(last().evidence, "2 tasks");
    EXPECT_EQ(last().outcome, Outcome::Noted);
  }
  tell(OrphansEnded{{9}, "of no node"});
  EXPECT_EQ(core_.healer().incidents().size(), 2U);
}

}  // namespace
}  // namespace gyre::control
