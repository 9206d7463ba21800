#include "server/api/task_exits.h"

#include <gtest/gtest.h>

#include "server/api/test_kit.h"

namespace gyre::server {
namespace {

using Codes = TaskExits::Codes;

struct TaskExitsTest : testing::Test {
  test::SeenNode seen{4};

  TaskExitsTest() {
    seen.tell(NodeJoined{{1}, {"m", "", "H100", 4, {81'920}, {64'000}, {524'288}, false}});
  }

  JobId run_gang(JobSpec spec = {}) {
    const JobId id{seen.core.jobs().last().value + 1};
    spec.tasks = {{2, {}}};
    spec.tasks[0].request.gpus = 1;
    seen.tell(JobSubmitted{id, std::move(spec), {}});
    return id;
  }
  void end(JobId id, std::int32_t rank, TaskExit exit, std::int32_t attempt = 1) {
    seen.tell(TaskEnded{id, attempt, rank, std::move(exit)});
  }
  Codes codes(JobId id) { return seen.telemetry.exits.of(*seen.core.jobs().find(id)); }
};

TEST_F(TaskExitsTest, EachTaskOfAGangHasItsOwn) {
  const JobId id = run_gang();
  EXPECT_EQ(codes(id), Codes{});
  end(id, 1, {TaskExit::Kind::Exited, 7, false, ""});
  EXPECT_EQ(codes(id), (Codes{std::nullopt, 7}));
  end(id, 0, {TaskExit::Kind::Signaled, 15, true, ""});
  EXPECT_EQ(codes(id), (Codes{143, 7}));
}

TEST_F(TaskExitsTest, WhatNeverRanHasNone) {
  const JobId id = run_gang();
  end(id, 0, {TaskExit::Kind::StartFailed, 0, false, "no image"});
  end(id, 1, {TaskExit::Kind::Lost, 0, false, ""});
  EXPECT_EQ(codes(id), (Codes{std::nullopt, std::nullopt}));
}

TEST_F(TaskExitsTest, TheyAreOfTheLatestAttempt) {
  JobSpec spec;
  spec.retry.retries_max = 1;
  spec.retry.on_error = true;
  spec.retry.backoff = {};
  const JobId id = run_gang(std::move(spec));
  end(id, 0, {TaskExit::Kind::Exited, 1, false, ""});
  end(id, 1, {TaskExit::Kind::Exited, 2, false, ""});
  ASSERT_EQ(seen.core.jobs().find(id)->attempt, 2);
  EXPECT_EQ(codes(id), Codes{});
  end(id, 1, {TaskExit::Kind::Exited, 3, false, ""}, 2);
  EXPECT_EQ(codes(id), (Codes{std::nullopt, 3}));
}

TEST_F(TaskExitsTest, ATaskThatIsStartedAnewLeavesTheOthersTheirs) {
  seen.tell(NodeJoined{{2}, {"n", "", "H100", 4, {81'920}, {64'000}, {524'288}, false}});
  JobSpec spec;
  spec.retry.on_node_loss = NodeLossAnswer::Task;
  const JobId id = run_gang(std::move(spec));
  seen.tell(TaskStarted{id, 1, 0});
  end(id, 1, {TaskExit::Kind::Lost, 0, false, "gone"});
  ASSERT_EQ(seen.core.jobs().find(id)->attempt, 2);
  end(id, 1, {TaskExit::Kind::Exited, 7, false, ""}, 2);
  EXPECT_EQ(codes(id), (Codes{std::nullopt, 7}));
  end(id, 0, {TaskExit::Kind::Signaled, 15, true, ""});
  EXPECT_EQ(codes(id), (Codes{143, 7}));
}

TEST_F(TaskExitsTest, WhatTheCoreKnowsIsToldOfEarlierLives) {
  const JobId gang = run_gang();
  end(gang, 0, {});
  end(gang, 1, {});
  const JobId one = seen.run({}, 1);
  EXPECT_EQ(codes(one), Codes{});
  end(one, 0, {TaskExit::Kind::Exited, 5, false, ""});
  const TaskExits fresh;
  EXPECT_EQ(fresh.of(*seen.core.jobs().find(gang)), (Codes{0, 0}));
  EXPECT_EQ(fresh.of(*seen.core.jobs().find(one)), (Codes{5}));
}

}  // namespace
}  // namespace gyre::server
