#include "server/api/idle_watch.h"

#include <gtest/gtest.h>

#include "server/api/test_kit.h"

namespace gyre::server {
namespace {

/// One job on the two devices of one node, under a policy of a minute and half a minute.
class IdleWatchTest : public ::testing::Test {
 protected:
  IdleWatchTest() {
    node_.tell(IdleSet{{5, seconds(60), seconds(30), {}}});
    node_.read({900'000, 900'000});
    node_.run({}, 2);
  }

  /// Seconds of such readings, looking after each; what the core was told is told it.
  void pass(int count, std::optional<std::int64_t> first, std::optional<std::int64_t> second,
            bool by_sm = true) {
    for (int i = 0; i < count; ++i) {
      node_.now = node_.now + seconds(1);
      node_.read({first, second}, by_sm);
      for (Event::Body& body : watch_.look(node_.core, node_.telemetry, node_.now)) {
        told_.push_back(std::get<GpuUseSeen>(body).use);
        node_.tell(std::move(body));
      }
    }
  }
  const Job& job() const { return *node_.core.jobs().find({1}); }
  bool warned() const { return node_.core.idle().warning({1}) != nullptr; }

  test::SeenNode node_{2};
  IdleWatch watch_;
  std::vector<GpuUse> told_;
};

TEST_F(IdleWatchTest, AnIdleJobIsWarnedAndThenStopped) {
  pass(60, 10'000, 10'000);
  EXPECT_FALSE(warned());
  pass(2, 10'000, 10'000);
  ASSERT_TRUE(warned());
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_TRUE(told_[0].known && told_[0].by_sm);
  EXPECT_NEAR(static_cast<double>(told_[0].activity_ppm), 10'000, 100);
  pass(28, 10'000, 10'000);
  EXPECT_EQ(job().state, JobState::Running);
  pass(4, 10'000, 10'000);
  EXPECT_EQ(job().state, JobState::Stopping);
  EXPECT_EQ(job().ending, Termination::Idle);
}

TEST_F(IdleWatchTest, OneBusyDeviceOfTwoIsUseEnough) {
  pass(200, 0, 800'000);
  EXPECT_TRUE(told_.empty());
}

TEST_F(IdleWatchTest, SmActivityCountsAndNotUtilisation) {
  pass(62, 1'000, 1'000);  // the driver says 100 % all the while
  EXPECT_TRUE(warned());
}

TEST_F(IdleWatchTest, UtilisationStandsInAndIsSaid) {
  pass(62, 10'000, 10'000, false);
  ASSERT_TRUE(warned());
  EXPECT_FALSE(told_[0].by_sm);
}

TEST_F(IdleWatchTest, ADeviceThatIsNotReadSavesTheJob) {
  pass(200, 0, std::nullopt);
  EXPECT_TRUE(told_.empty());
}

TEST_F(IdleWatchTest, SilenceAfterTheWarningWithdrawsIt) {
  pass(62, 0, 0);
  ASSERT_TRUE(warned());
  pass(40, std::nullopt, std::nullopt);
  EXPECT_FALSE(warned());
  EXPECT_EQ(job().state, JobState::Running);
  ASSERT_EQ(told_.size(), 2U);
  EXPECT_FALSE(told_[1].known);
}

TEST_F(IdleWatchTest, WorkAfterTheWarningWithdrawsIt) {
  pass(62, 0, 0);
  ASSERT_TRUE(warned());
  pass(32, 700'000, 700'000);
  EXPECT_FALSE(warned());
  EXPECT_EQ(job().state, JobState::Running);
}

TEST_F(IdleWatchTest, AClockThatJumpsProvesNothing) {
  pass(30, 0, 0);
  node_.now = node_.now + seconds(7200);
  pass(5, 0, 0);
  EXPECT_TRUE(told_.empty());
}

}  // namespace
}  // namespace gyre::server
