// A gang that loses one of its tasks: that one is started anew elsewhere, and the others run on.
#include <gmock/gmock.h>

#include "control/controller_suite.h"
#include "control/random_history.h"

namespace gyre::control {
namespace {

using testing::HasSubstr;

const TaskExit kLost{TaskExit::Kind::Lost, 0, false, "its supervisor is gone"};

JobSpec elastic(std::int32_t nodes, std::int32_t gpus = 4) {
  JobSpec spec = job_of(gpus, nodes);
  spec.retry.on_node_loss = NodeLossAnswer::Task;
  return spec;
}

class ReplacementTest : public ControllerTest {
 protected:
  void lose(NodeId node) { tell(NodeLost{node, "not heard for 30s"}); }
  NodeId node_of(JobId id, std::size_t rank) const { return job(id).placement[rank].node; }
  /// Of the last command. Requires: it is one.
  ReplaceTask replaced() const { return std::get<ReplaceTask>(commands_.back().body); }
  bool last_stops() const { return std::holds_alternative<StopGang>(commands_.back().body); }
  /// What its tasks hold, and nothing else, is taken from the fleet.
  std::int64_t held_gpu_milli() const {
    std::int64_t all = 0;
    for (const Node& node : core_.cluster().nodes()) all += node.up ? node.spec.gpus * 1000 : 0;
    return all - core_.cluster().free_gpu_milli(PartitionId{0});
  }
  void expect_same_when_restored() const {
    const auto twin = Controller::restore(Config{}, core_.state());
    ASSERT_TRUE(twin.has_value()) << twin.error().message;
    EXPECT_EQ(twin->state(), core_.state());
    EXPECT_EQ(twin->outstanding(), core_.outstanding());
  }
};

TEST_F(ReplacementTest, ALostTaskIsStartedElsewhereAndTheOthersRunOn) {
  for (int i = 0; i < 4; ++i) add_node(4);
  const JobId id = submit_running(elastic(3));
  const CommandId started = job(id).last_command;
  const NodeId lost = node_of(id, 2);
  now_ = now_ + seconds(100);
  EXPECT_TRUE(tell(NodeLost{lost, "not heard for 30s"}).transitions.empty());

  EXPECT_EQ(replaced().job, id);
  EXPECT_EQ(replaced().attempt, 2);
  EXPECT_EQ(replaced().task, job(id).placement[2]);
  EXPECT_EQ(replaced().lost, lost);
  EXPECT_EQ(replaced().cause, "not heard for 30s");
  EXPECT_EQ(node_of(id, 2), NodeId{3});
  EXPECT_EQ(state(id), JobState::Running);
  EXPECT_EQ(job(id).retries, 1);
  EXPECT_EQ(job(id).attempt, 2);
  EXPECT_EQ(gang_attempt(job(id)), 1);
  EXPECT_EQ(attempt_of(job(id), 1), 1);
  EXPECT_EQ(attempt_of(job(id), 2), 2);
  EXPECT_EQ(placed_at(job(id), 2), now_);
  EXPECT_EQ(job(id).attempt_started_at, Time{});
  EXPECT_EQ(job(id).attempts[0].command, started);
  EXPECT_EQ(held_gpu_milli(), 12'000);
  expect_same_when_restored();

  tell(TaskStarted{id, 2, 2});
  tell(TaskEnded{id, 1, 0, {}});
  tell(TaskEnded{id, 1, 1, {}});
  tell(TaskEnded{id, 2, 2, {}});
  EXPECT_EQ(state(id), JobState::Succeeded);
  EXPECT_EQ(job(id).ran, seconds(100));
  EXPECT_EQ(held_gpu_milli(), 0);
}

TEST_F(ReplacementTest, AFreshServerIsToldOfTheTaskThatDoesNotRunYet) {
  for (int i = 0; i < 4; ++i) add_node(4);
  const JobId id = submit_running(elastic(3));
  EXPECT_TRUE(core_.outstanding().empty());
  lose(node_of(id, 1));
  const Commands waiting = core_.outstanding();
  ASSERT_EQ(waiting.size(), 1U);
  EXPECT_EQ(waiting[0].id, commands_.back().id);
  const auto& anew = std::get<ReplaceTask>(waiting[0].body);
  EXPECT_EQ(anew.attempt, 2);
  EXPECT_EQ(anew.task, job(id).placement[1]);
  tell(TaskStarted{id, 2, 1});
  EXPECT_TRUE(core_.outstanding().empty());
}

TEST_F(ReplacementTest, WithoutAPlaceTheWholeGangIsTriedAgainAndSaysWhy) {
  for (int i = 0; i < 3; ++i) add_node(4);
  const JobId id = submit_running(elastic(3));
  lose(node_of(id, 2));
  EXPECT_TRUE(last_stops());
  EXPECT_EQ(state(id), JobState::Stopping);
  EXPECT_THAT(job(id).exit.message, HasSubstr("task 2: not heard for 30s; no place is free"));
  end_all(id, {TaskExit::Kind::Signaled, 15, true, ""});
  EXPECT_EQ(state(id), JobState::Queued);
  EXPECT_EQ(job(id).retries, 1);
  tell(NodeReturned{NodeId{2}});
  now_ = *core_.next_wakeup();
  tell(Tick{});
  EXPECT_EQ(state(id), JobState::Starting);
  EXPECT_EQ(job(id).attempt, 2);
  EXPECT_TRUE(job(id).attempts.empty());
}

TEST_F(ReplacementTest, WhoDoesNotAskForItIsTriedAgainAsAWhole) {
  for (int i = 0; i < 4; ++i) add_node(4);
  const JobId id = submit_running(job_of(4, 3));
  lose(node_of(id, 2));
  EXPECT_TRUE(last_stops());
  EXPECT_EQ(job(id).exit.message, "task 2: not heard for 30s");
}

TEST_F(ReplacementTest, TheOthersFindEachOtherByTaskZero) {
  for (int i = 0; i < 4; ++i) add_node(4);
  const JobId id = submit_running(elastic(3));
  lose(node_of(id, 0));
  EXPECT_TRUE(last_stops());
  EXPECT_THAT(job(id).exit.message, HasSubstr("by task 0"));
}

TEST_F(ReplacementTest, ReplacementsAreRetriesAndEndWithThem) {
  for (int i = 0; i < 5; ++i) add_node(4);
  JobSpec spec = elastic(3);
  spec.retry.retries_max = 2;
  const JobId id = submit_running(spec);
  lose(node_of(id, 2));
  tell(TaskStarted{id, 2, 2});
  lose(node_of(id, 2));
  tell(TaskStarted{id, 3, 2});
  EXPECT_EQ(job(id).retries, 2);
  EXPECT_EQ(attempt_of(job(id), 2), 3);
  EXPECT_EQ(node_of(id, 2), NodeId{4});
  tell(NodeReturned{NodeId{2}});
  lose(node_of(id, 2));
  EXPECT_TRUE(last_stops());
  tell(TaskEnded{id, 1, 0, {TaskExit::Kind::Signaled, 15, true, ""}});
  tell(TaskEnded{id, 1, 1, {TaskExit::Kind::Signaled, 15, true, ""}});
  EXPECT_EQ(state(id), JobState::Failed);
  EXPECT_EQ(job(id).ending, Termination::NodeLost);
}

TEST_F(ReplacementTest, TwoTasksThatAreLostAreEachStartedAnew) {
  for (int i = 0; i < 5; ++i) add_node(4);
  const JobId id = submit_running(elastic(3));
  lose(node_of(id, 1));
  lose(node_of(id, 2));
  EXPECT_EQ(attempt_of(job(id), 1), 2);
  EXPECT_EQ(attempt_of(job(id), 2), 3);
  expect_same_when_restored();
  EXPECT_EQ(core_.outstanding().size(), 2U);
  tell(TaskStarted{id, 3, 2});
  tell(TaskStarted{id, 2, 1});
  EXPECT_TRUE(core_.outstanding().empty());
  EXPECT_EQ(state(id), JobState::Running);
}

TEST_F(ReplacementTest, AGangThatStillStartsRunsOnceTheNewTaskDoes) {
  for (int i = 0; i < 4; ++i) add_node(4);
  const JobId id = submit(elastic(3));
  tell(TaskStarted{id, 1, 0});
  lose(node_of(id, 2));
  EXPECT_EQ(state(id), JobState::Starting);
  const Commands waiting = core_.outstanding();
  ASSERT_EQ(waiting.size(), 2U);  // task 1 by the gang's start, task 2 by its own
  EXPECT_EQ(std::get<StartGang>(waiting[0].body).attempt, 1);
  EXPECT_EQ(waiting[0].id, job(id).attempts[0].command);
  EXPECT_EQ(std::get<ReplaceTask>(waiting[1].body).attempt, 2);
  tell(TaskStarted{id, 2, 2});
  EXPECT_EQ(state(id), JobState::Starting);
  tell(TaskStarted{id, 1, 1});
  EXPECT_EQ(state(id), JobState::Running);
}

TEST_F(ReplacementTest, AStopEndsTheNewTaskToo) {
  for (int i = 0; i < 4; ++i) add_node(4);
  const JobId id = submit_running(elastic(3));
  lose(node_of(id, 2));
  tell(JobStopRequested{id});
  EXPECT_EQ(std::get<StopGang>(commands_.back().body).attempt, 2);
  lose(node_of(id, 1));  // nothing is started any more
  EXPECT_TRUE(last_stops());
  const TaskExit stopped{TaskExit::Kind::Signaled, 15, true, ""};
  tell(TaskEnded{id, 1, 0, stopped});
  EXPECT_EQ(state(id), JobState::Stopping);
  tell(TaskEnded{id, 2, 2, stopped});
  EXPECT_EQ(state(id), JobState::Cancelled);
  EXPECT_EQ(held_gpu_milli(), 0);
}

TEST_F(ReplacementTest, WhatTheLostNodeSaysLaterIsOfARunThatIsOver) {
  for (int i = 0; i < 4; ++i) add_node(4);
  const JobId id = submit_running(elastic(3));
  tell(TaskEnded{id, 1, 2, kLost});
  EXPECT_EQ(replaced().cause, kLost.message);
  EXPECT_EQ(node_of(id, 2), NodeId{3});  // not where it was, though that node is up
  const ControllerState before = core_.state();
  const auto unchanged = [&] {
    ControllerState after = core_.state();
    after.seq = before.seq;
    return after == before;
  };
  tell(TaskStarted{id, 1, 2});
  EXPECT_TRUE(unchanged());
  tell(TaskEnded{id, 1, 2, {}});
  EXPECT_TRUE(unchanged());
  tell(TaskStarted{id, 2, 1});  // nor is another task of that attempt
  EXPECT_TRUE(unchanged());
  tell(TaskStarted{id, 2, 2});
  EXPECT_FALSE(unchanged());
}

TEST_F(ReplacementTest, ItGoesBeforeWhoeverWaitsAndWhatIsKeptForThemIsFoundAnew) {
  for (int i = 0; i < 4; ++i) add_node(4);
  const JobId id = submit_running(elastic(3));
  const JobId next = submit(with_priority(job_of(4, 2), 10));
  const std::vector<Reservation> kept = core_.reservations();
  ASSERT_EQ(kept.size(), 1U);
  lose(node_of(id, 2));
  EXPECT_EQ(node_of(id, 2), NodeId{3});
  EXPECT_EQ(state(next), JobState::Queued);
  expect_same_when_restored();
}

TEST_F(ReplacementTest, ItStaysInTheRackThatIsRequired) {
  for (int i = 0; i < 3; ++i) add_node(4, "A100", "r1");
  add_node(4, "A100", "r2");
  add_node(4, "A100", "r1");
  JobSpec spec = elastic(3);
  spec.topology = Topology{TopologyLevel::Rack, true};
  const JobId id = submit_running(spec);
  lose(node_of(id, 2));
  EXPECT_EQ(node_of(id, 2), NodeId{4});
  tell(TaskStarted{id, 2, 2});
  lose(node_of(id, 2));  // there is room in the other rack alone
  EXPECT_TRUE(last_stops());
}

TEST_F(ReplacementTest, ItRatherStaysInTheRackThatIsPreferred) {
  for (int i = 0; i < 3; ++i) add_node(4, "A100", "r1");
  add_node(4, "A100", "r2");
  add_node(4, "A100", "r1");
  JobSpec spec = elastic(3);
  spec.topology = Topology{TopologyLevel::Rack, false};
  const JobId id = submit_running(spec);
  lose(node_of(id, 2));
  EXPECT_EQ(node_of(id, 2), NodeId{4});
  tell(TaskStarted{id, 2, 2});
  lose(node_of(id, 2));
  EXPECT_EQ(node_of(id, 2), NodeId{3});
}

TEST_F(ReplacementTest, ItKeepsToItsModelItsKindAndItsPlacementRules) {
  for (int i = 0; i < 3; ++i) add_node(4);
  add_node(8, "T4");
  add_node(8);  // runs one of the group that it is apart from
  add_node(2);
  add_node(8);
  JobSpec other = job_of(1);
  other.name = "other";
  other.placement.emplace();
  tell(NodeDutySet{NodeId{6}, NodeDuty::Cordoned});
  tell(NodeDutySet{NodeId{0}, NodeDuty::Cordoned});
  tell(NodeDutySet{NodeId{1}, NodeDuty::Cordoned});
  tell(NodeDutySet{NodeId{2}, NodeDuty::Cordoned});
  other.tasks[0].request.gpus = 8;
  other.tasks[0].request.gpu_models = {"A100"};
  other.tasks[0].request.gpus = 4;
  const JobId beside = submit_running(other);
  ASSERT_EQ(node_of(beside, 0), NodeId{4});
  for (std::uint32_t i = 0; i < 3; ++i) tell(NodeDutySet{NodeId{i}, NodeDuty::Open});

  JobSpec spec = elastic(2);
  spec.name = "own";
  spec.tasks[0].request.gpu_models = {"A100"};
  spec.tasks.push_back({1, {}});
  spec.tasks[1].request.gpus = 3;
  spec.tasks[1].request.gpu_models = {"A100"};
  spec.placement.emplace();
  spec.placement->apart = "other";
  const JobId id = submit_running(spec);
  ASSERT_EQ(state(id), JobState::Running);
  tell(NodeDutySet{NodeId{6}, NodeDuty::Open});
  lose(node_of(id, 2));
  EXPECT_EQ(node_of(id, 2), NodeId{6});
  EXPECT_EQ(job(id).placement[2].allocation.devices, 0b111);
  EXPECT_EQ(job(id).placement[2].allocation.group, group_id("", "own"));
  expect_same_when_restored();
}

TEST_F(ReplacementTest, EachTaskIsChargedFromWhenItWasPutWhereItIs) {
  for (int i = 0; i < 4; ++i) add_node(4);
  PriceList prices;
  prices.gpu_hour = Money{1'000'000};
  tell(PriceSet{prices});
  const JobId id = submit_running(elastic(3));
  now_ = now_ + kHour;
  lose(node_of(id, 2));
  EXPECT_EQ(core_.rate_of(job(id)), Money{12'000'000});
  EXPECT_EQ(core_.ledger().rate(), Money{12'000'000});
  EXPECT_EQ(core_.charge_of(job(id), now_).amount, Money{12'000'000});
  now_ = now_ + kHour;
  EXPECT_EQ(core_.charge_of(job(id), now_).amount, Money{24'000'000});
  tell(TaskEnded{id, 2, 2, {}});
  EXPECT_EQ(core_.ledger().rate(), Money{8'000'000});
  EXPECT_EQ(core_.charge_of(job(id), now_).amount, Money{24'000'000});
  tell(TaskEnded{id, 1, 0, {}});
  tell(TaskEnded{id, 1, 1, {}});
  EXPECT_EQ(core_.ledger().rate(), Money{0});
  EXPECT_EQ(core_.charge_of(job(id), now_).amount, Money{24'000'000});
}

TEST_F(ReplacementTest, AnIncidentTellsOfTheRepairUntilTheTaskRuns) {
  for (int i = 0; i < 4; ++i) add_node(4);
  tell(HealingSet{default_healing()});
  const JobId id = submit_running(elastic(3));
  lose(node_of(id, 2));
  const auto own = [&] {
    for (const Incident& one : core_.healer().incidents()) {
      if (one.job == id) return one;
    }
    return Incident{};
  };
  EXPECT_EQ(own().symptom, Symptom::NodeLost);
  EXPECT_EQ(own().outcome, Incident::Outcome::Open);
  EXPECT_EQ(own().evidence,
            "node n2 was lost (not heard for 30s); task 2 is started anew on node n3, and the rest "
            "of the gang runs on");
  now_ = now_ + seconds(7);
  tell(TaskStarted{id, 2, 2});
  EXPECT_EQ(own().outcome, Incident::Outcome::Recovered);
  EXPECT_EQ(*own().closed_at - own().at, seconds(7));
}

/// What records, replays and restores made-up histories meets such gangs.
TEST(RandomHistoryTest, HasGangsThatAreRepairedAndEndWell) {
  class Counter final : public Journal {
   public:
    void append(const Event&) override {}
    void append(const Command& command) override {
      replaced += std::holds_alternative<ReplaceTask>(command.body) ? 1 : 0;
    }
    Result<void> commit() override { return {}; }
    Result<void> save(const ControllerState&) override { return {}; }
    int replaced = 0;
  } counter;
  int good = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    RandomHistory history(seed);
    for (int i = 0; i < 300; ++i) history.step(counter);
    history.core().jobs().for_each([&](const Job& job) {
      good += job.state == JobState::Succeeded && !job.attempts.empty() ? 1 : 0;
    });
  }
  EXPECT_GT(counter.replaced, 10);
  EXPECT_GT(good, 0);
}

}  // namespace
}  // namespace gyre::control
