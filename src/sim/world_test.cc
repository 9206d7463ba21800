#include "sim/world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <string>

namespace gyre::sim {
namespace {

/// A world over a trace and a fleet, whose commands the test gives by hand.
class WorldTest : public ::testing::Test {
 protected:
  void build(const std::string& rows, const std::string& shape, ExecutionOptions execution = {},
             FailureModel failures = FailureModel::none()) {
    trace_ = *read_trace(text_source("id,submit,duration,gpus,nodes,checkpoint_interval\n" + rows),
                         "t.csv", {});
    fleet_ = *parse_shape(shape);
    workload_ = make_workload(trace_, fleet_);
    world_ = std::make_unique<World>(World::Inputs{
        trace_, workload_, fleet_, named_policies().front(), execution, std::move(failures)});
    const std::size_t introductions = 1 + workload_.queues.size() + fleet_.nodes.size();
    for (std::size_t i = 0; i < introductions; ++i) last_ = *world_->next(std::nullopt);
  }

  /// The next event's body, which must be a T; remembers the event.
  template <class T>
  T expect(std::optional<Time> deadline = std::nullopt) {
    const std::optional<Event> event = world_->next(deadline);
    EXPECT_TRUE(event.has_value());
    if (!event) return {};
    EXPECT_EQ(event->seq.value, last_.seq.value + 1);
    EXPECT_GE(event->at, last_.at);
    last_ = *event;
    EXPECT_TRUE(std::holds_alternative<T>(event->body)) << "index " << event->body.index();
    return std::holds_alternative<T>(event->body) ? std::get<T>(event->body) : T{};
  }
  void expect_over() { EXPECT_FALSE(world_->next(std::nullopt)); }
  double now_s() const { return static_cast<double>(last_.at.ns) / 1e9; }

  void start(std::uint64_t job, std::int32_t attempt, std::vector<std::uint32_t> nodes = {0}) {
    StartGang command{JobId{job}, attempt, {}, StartRule::HeadOfLine};
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      command.placement.push_back({static_cast<std::int32_t>(i), NodeId{nodes[i]}, {}});
    }
    world_->submit({CommandId{++commands_}, command});
  }
  void replace(std::uint64_t job, std::int32_t attempt, std::int32_t rank, std::uint32_t node) {
    world_->submit({CommandId{++commands_},
                    ReplaceTask{JobId{job}, attempt, {rank, NodeId{node}, {}}, {}, {}}});
  }
  void stop(std::uint64_t job, std::int32_t attempt, Termination cause,
            Duration grace = seconds(30)) {
    world_->submit({CommandId{++commands_}, StopGang{JobId{job}, attempt, cause, {}, grace}});
  }

  Trace trace_;
  Fleet fleet_;
  Workload workload_;
  std::unique_ptr<World> world_;
  Event last_;
  std::uint64_t commands_ = 0;
};

TEST_F(WorldTest, IntroducesPolicyQueuesAndNodesBeforeAllElse) {
  build("a,5,1,1,,\n", "2x8:V100");
  EXPECT_EQ(last_.seq.value, 4);
  EXPECT_EQ(std::get<NodeJoined>(last_.body).spec.gpu_model, "V100");
  const auto submitted = expect<JobSubmitted>();
  EXPECT_EQ(now_s(), 0) << "time counts from the first arrival";
  EXPECT_EQ(submitted.job, JobId{1});
  EXPECT_EQ(submitted.spec->name, "a");
  EXPECT_EQ(submitted.spec->expected_duration, seconds(1));
}

TEST_F(WorldTest, AJobRunsForItsDurationAfterTheStartLatency) {
  build("a,0,100,1,,\n", "1x8", {.start_latency = seconds(7)});
  expect<JobSubmitted>();
  start(1, 1);
  expect<TaskStarted>();
  EXPECT_EQ(now_s(), 7);
  const auto ended = expect<TaskEnded>();
  EXPECT_EQ(now_s(), 107);
  EXPECT_TRUE(ended.exit.ok());
  EXPECT_FALSE(ended.exit.stopped);
  world_->job_over(JobId{1});
  expect_over();
}

TEST_F(WorldTest, TasksOfAGangStartAndEndTogether) {
  build("a,0,10,16,2,\nb,10,1,1,,\n", "2x8");
  expect<JobSubmitted>();
  start(1, 1, {0, 1});
  EXPECT_EQ(expect<TaskStarted>().rank, 0);
  EXPECT_TRUE(world_->has_pending());
  EXPECT_EQ(expect<TaskStarted>().rank, 1);
  EXPECT_FALSE(world_->has_pending()) << "the next is at another time";
  EXPECT_EQ(expect<TaskEnded>().rank, 0);
  EXPECT_EQ(expect<TaskEnded>().rank, 1);
  EXPECT_TRUE(world_->has_pending());
  expect<JobSubmitted>();
  EXPECT_EQ(now_s(), 10) << "ends come before arrivals of the same instant";
}

TEST_F(WorldTest, TicksAtTheDeadlineIfNothingComesBefore) {
  build("a,0,100,1,,\n", "1x8");
  expect<JobSubmitted>();
  start(1, 1);
  expect<TaskStarted>();
  expect<Tick>(Time{} + seconds(40));
  EXPECT_EQ(now_s(), 40);
  expect<TaskEnded>(Time{} + seconds(100));
  expect<Tick>(Time{} + seconds(500));
  EXPECT_EQ(now_s(), 500) << "whoever asks for time gets it, even when nothing else is left";
}

TEST_F(WorldTest, AStopEndsTheTasksAfterTheLatencyButWithinTheGrace) {
  build("a,0,100,1,,\nb,0,100,1,,\n", "1x8", {.stop_latency = seconds(20)});
  expect<JobSubmitted>();
  expect<JobSubmitted>();
  start(1, 1);
  start(2, 1);
  expect<TaskStarted>();
  expect<TaskStarted>();
  stop(1, 1, Termination::UserRequest, seconds(5));
  stop(2, 1, Termination::UserRequest);
  stop(2, 1, Termination::UserRequest);
  const auto first = expect<TaskEnded>();
  EXPECT_EQ(now_s(), 5);
  EXPECT_EQ(first.exit.kind, TaskExit::Kind::Signaled);
  EXPECT_EQ(first.exit.code, SIGTERM);
  EXPECT_TRUE(first.exit.stopped);
  expect<TaskEnded>();
  EXPECT_EQ(now_s(), 20);
  world_->job_over(JobId{1});
  world_->job_over(JobId{2});
  expect_over();
}

TEST_F(WorldTest, WhatIsDoneBeforeTheStopTakesEffectHasEndedWell) {
  build("a,0,100,1,,\n", "1x8", {.stop_latency = seconds(20)});
  expect<JobSubmitted>();
  start(1, 1);
  expect<TaskStarted>();
  expect<Tick>(Time{} + seconds(90));
  stop(1, 1, Termination::Preempted);
  EXPECT_TRUE(expect<TaskEnded>().exit.ok());
  EXPECT_EQ(now_s(), 100);
}

TEST_F(WorldTest, AStopBeforeTheStartFinishesTheStart) {
  build("a,0,100,1,,\n", "1x8", {.start_latency = seconds(10)});
  expect<JobSubmitted>();
  start(1, 1);
  stop(1, 1, Termination::Preempted);
  EXPECT_EQ(expect<TaskEnded>().exit.kind, TaskExit::Kind::StartFailed);
  EXPECT_EQ(now_s(), 0);
  EXPECT_EQ(world_->lost_gpu_hours(), 0);
}

TEST_F(WorldTest, ACommandSeenTwiceActsOnce) {
  build("a,0,100,1,,\n", "1x8");
  expect<JobSubmitted>();
  start(1, 1);
  start(1, 1);
  expect<TaskStarted>();
  stop(1, 7, Termination::UserRequest);  // of an attempt that never was
  expect<TaskEnded>();
  EXPECT_EQ(now_s(), 100);
  start(1, 1);
  stop(1, 1, Termination::UserRequest);
  world_->job_over(JobId{1});
  expect_over();
}

TEST_F(WorldTest, WithoutCheckpointsAStopLosesAllWork) {
  build("a,0,3600,8,,\n", "1x8", {.restart_overhead = seconds(60)});
  expect<JobSubmitted>();
  start(1, 1);
  expect<TaskStarted>();
  expect<Tick>(Time{} + seconds(1800));
  stop(1, 1, Termination::Preempted);
  expect<TaskEnded>();
  EXPECT_DOUBLE_EQ(world_->lost_gpu_hours(), 4.0);
  start(1, 2);
  expect<TaskStarted>();
  expect<TaskEnded>();
  EXPECT_EQ(now_s(), 1800 + 60 + 3600);
}

TEST_F(WorldTest, APreemptedJobThatCheckpointsSavesFirst) {
  build("a,0,3600,8,,10m\n", "1x8", {.restart_overhead = seconds(60)});
  EXPECT_EQ(expect<JobSubmitted>().spec->checkpoint.signal, SIGUSR1);
  start(1, 1);
  expect<TaskStarted>();
  expect<Tick>(Time{} + seconds(1500));
  stop(1, 1, Termination::Preempted);
  expect<TaskEnded>();
  EXPECT_EQ(world_->lost_gpu_hours(), 0);
  start(1, 2);
  expect<TaskStarted>();
  expect<TaskEnded>();
  EXPECT_EQ(now_s(), 1500 + 60 + 2100);
}

TEST_F(WorldTest, AFailedNodeLosesTheWorkSinceTheLastCheckpoint) {
  FaultTrace faults{{{Time{} + seconds(1500), 0, false}, {Time{} + seconds(2000), 0, true}}, 1, 0};
  build("a,0,3600,16,2,10m\n", "2x8", {}, FailureModel::by_trace(faults, 2));
  expect<JobSubmitted>();
  start(1, 1, {0, 1});
  expect<TaskStarted>();
  expect<TaskStarted>();
  EXPECT_EQ(expect<NodeLost>().node, NodeId{0});
  EXPECT_EQ(now_s(), 1500);
  stop(1, 1, Termination::NodeLost);
  EXPECT_EQ(expect<TaskEnded>().rank, 1) << "the lost node's task needs no event";
  EXPECT_NEAR(world_->lost_gpu_hours(), 300.0 / 3600 * 16, 1e-9);
  EXPECT_EQ(world_->node_failures(), 1);
  expect<NodeReturned>();
  EXPECT_EQ(now_s(), 2000);
  start(1, 2, {0, 1});
  expect<TaskStarted>();
  expect<TaskStarted>();
  expect<TaskEnded>();
  EXPECT_EQ(now_s(), 2000 + 3600 - 1200);
}

TEST_F(WorldTest, AGangWithANewTaskGoesOnFromItsLastCheckpoint) {
  FaultTrace faults{{{Time{} + seconds(1500), 1, false}}, 2, 0};
  build("a,0,3600,24,3,10m\n", "4x8",
        {.start_latency = seconds(20), .restart_overhead = seconds(60)},
        FailureModel::by_trace(faults, 4));
  expect<JobSubmitted>();
  start(1, 1, {0, 1, 2});
  for (int i = 0; i < 3; ++i) expect<TaskStarted>();
  expect<NodeLost>();
  replace(1, 2, 1, 3);
  replace(1, 2, 1, 3);  // seen before
  const auto anew = expect<TaskStarted>();
  EXPECT_EQ(anew.rank, 1) << "the others have started already";
  EXPECT_EQ(anew.attempt, 2);
  EXPECT_EQ(now_s(), 1520);
  EXPECT_FALSE(world_->has_pending());
  for (const std::int32_t rank : {0, 1, 2}) {
    const auto ended = expect<TaskEnded>();
    EXPECT_EQ(ended.rank, rank);
    EXPECT_EQ(ended.attempt, rank == 1 ? 2 : 1);
    EXPECT_TRUE(ended.exit.ok());
  }
  EXPECT_EQ(now_s(), 1520 + 60 + 3600 - 1200) << "it had run for 1480 s, of which two checkpoints";
  EXPECT_NEAR(world_->lost_gpu_hours(), 280.0 / 3600 * 24, 1e-9);
}

TEST_F(WorldTest, AStopEndsANewTaskWhoseGangWasLostMeanwhile) {
  FaultTrace faults{{{Time{} + seconds(100), 0, false}, {Time{} + seconds(100), 1, false}}, 2, 0};
  build("a,0,3600,16,2,\n", "3x8", {}, FailureModel::by_trace(faults, 3));
  expect<JobSubmitted>();
  start(1, 1, {0, 1});
  expect<TaskStarted>();
  expect<TaskStarted>();
  expect<NodeLost>();
  expect<NodeLost>();
  replace(1, 2, 1, 2);  // decided before the core learned of the second
  stop(1, 2, Termination::NodeLost);
  const auto ended = expect<TaskEnded>();
  EXPECT_EQ(ended.rank, 1);
  EXPECT_EQ(ended.attempt, 2);
  EXPECT_TRUE(ended.exit.stopped);
}

TEST_F(WorldTest, AGangThatWasToEndBeforeItsStopStillEndsWhenANodeIsLostMeanwhile) {
  FaultTrace faults{{{Time{} + seconds(95), 0, false}}, 1, 0};
  build("a,0,100,16,2,\n", "2x8", {.stop_latency = seconds(20)}, FailureModel::by_trace(faults, 2));
  expect<JobSubmitted>();
  start(1, 1, {0, 1});
  expect<TaskStarted>();
  expect<TaskStarted>();
  expect<Tick>(Time{} + seconds(90));
  stop(1, 1, Termination::Preempted);
  EXPECT_EQ(expect<NodeLost>().node, NodeId{0});
  const auto ended = expect<TaskEnded>();
  EXPECT_EQ(ended.rank, 1);
  EXPECT_TRUE(ended.exit.stopped) << "without the other task it did not finish";
  EXPECT_EQ(now_s(), 100);
}

TEST_F(WorldTest, AGangWithATaskOnALostNodeNeverStarts) {
  FaultTrace faults{{{Time{} + seconds(5), 1, false}}, 2, 0};
  build("a,0,3600,16,2,\n", "2x8", {.start_latency = seconds(10)},
        FailureModel::by_trace(faults, 2));
  expect<JobSubmitted>();
  start(1, 1, {0, 1});
  expect<NodeLost>();
  stop(1, 1, Termination::NodeLost);
  const auto ended = expect<TaskEnded>();
  EXPECT_EQ(ended.rank, 0);
  EXPECT_EQ(ended.exit.kind, TaskExit::Kind::StartFailed);
  EXPECT_EQ(now_s(), 5);
  start(1, 2, {0, 1});  // decided before the node was lost: only the core's stop is left to come
  stop(1, 2, Termination::NodeLost);
  EXPECT_EQ(expect<TaskEnded>().attempt, 2);
}

TEST_F(WorldTest, EndlessJobsDoNotKeepItGoing) {
  build("a,0,,1,,\nb,1,,1,,\n", "1x1", {},
        FailureModel::by_rate(seconds(10), seconds(10), 1, Rng(1)));
  expect<JobSubmitted>();
  start(1, 1);
  std::optional<Event> event;
  int events = 0;
  do {
    event = world_->next(std::nullopt);
  } while (event && ++events < 1000);
  EXPECT_LT(events, 1000);
}

// --- failures

TEST(FailureModel, ByRateKeepsTheMeans) {
  FailureModel model = FailureModel::by_rate(seconds(1000), seconds(100), 50, Rng(7));
  Time now;
  std::vector<Time> down_since(50, Time{-1});
  double down_s = 0;
  int failures = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto change = model.peek(now, true);
    ASSERT_TRUE(change);
    ASSERT_GE(change->at, now);
    ASSERT_EQ(down_since[change->node] >= Time{}, change->up) << "of one node they alternate";
    now = change->at;
    if (change->up) down_s += (now - down_since[change->node]).seconds();
    failures += change->up ? 0 : 1;
    down_since[change->node] = change->up ? Time{-1} : now;
    model.pop(*change);
  }
  const double up_s = 50 * (now - Time{}).seconds() - down_s;
  EXPECT_NEAR(up_s / failures, 1000, 50);
  EXPECT_NEAR(down_s / failures, 100, 5);
}

TEST(FailureModel, RepairsGoOnWhenFailuresDoNotMatter) {
  FailureModel model = FailureModel::by_rate(seconds(1000), seconds(100), 3, Rng(7));
  EXPECT_FALSE(model.peek(Time{}, false));
  const auto failure = model.peek(Time{}, true);
  model.pop(*failure);
  const auto repair = model.peek(failure->at, false);
  ASSERT_TRUE(repair);
  EXPECT_TRUE(repair->up);
  EXPECT_EQ(repair->node, failure->node);
}

TEST(FailureModel, LeavesOutNodesBeyondTheFleet) {
  FaultTrace trace{{{Time{1}, 5, false}, {Time{2}, 1, false}}, 6, 0};
  FailureModel model = FailureModel::by_trace(trace, 2);
  EXPECT_EQ(model.peek(Time{}, false)->node, 1);
}

}  // namespace
}  // namespace gyre::sim
