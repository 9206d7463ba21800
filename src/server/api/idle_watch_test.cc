#include "server/api/idle_watch.h"

#include <gtest/gtest.h>

namespace gyre::server {
namespace {

/// One job on the two devices of one node, under a policy of a minute and half a minute.
class IdleWatchTest : public ::testing::Test {
 protected:
  IdleWatchTest() {
    tell(PolicySet{*policy_by_name("preemptive")});
    tell(QueueSet{{"default", ""}});
    tell(NodeJoined{{0}, {"n", "", "H100", 2, {81'920}, {64'000}, {524'288}, false}});
    tell(IdleSet{{5, seconds(60), seconds(30), {}}});
    JobSpec spec;
    spec.tasks = {{1, {}}};
    spec.tasks[0].request.gpus = 2;
    tell(JobSubmitted{{1}, spec, {}});
    read(900'000, 900'000);
    tell(TaskStarted{{1}, 1, 0, {}});
  }

  void tell(Event::Body body) {
    const Event event{now_, EventSeq{++seq_}, std::move(body)};
    const control::Decisions& decisions = core_.step(event);
    telemetry_.after(event, decisions, core_);
  }

  /// The activity of each device's SMs, and of its driver's utilisation.
  void read(std::optional<std::int64_t> first, std::optional<std::int64_t> second,
            bool by_sm = true) {
    std::vector<GpuReading> readings(2);
    for (std::size_t i = 0; i < 2; ++i) {
      const auto ppm = i == 0 ? first : second;
      readings[i].fresh = ppm.has_value();
      readings[i].sample.at = now_;
      readings[i].sample.health = GpuHealth::Ok;
      if (!ppm) continue;
      auto& values = readings[i].sample.values;
      if (by_sm) values[static_cast<std::size_t>(GpuMetric::SmActive)] = *ppm;
      values[static_cast<std::size_t>(GpuMetric::Utilisation)] = by_sm ? 100 : *ppm / 10'000;
    }
    telemetry_.gpus.report("n", readings);
  }

  /// Seconds of such readings, looking after each; what the core was told is told it.
  void pass(int count, std::optional<std::int64_t> first, std::optional<std::int64_t> second,
            bool by_sm = true) {
    for (int i = 0; i < count; ++i) {
      now_ = now_ + seconds(1);
      read(first, second, by_sm);
      for (Event::Body& body : watch_.look(core_, telemetry_, now_)) {
        told_.push_back(std::get<GpuUseSeen>(body).use);
        tell(std::move(body));
      }
    }
  }
  const Job& job() const { return *core_.jobs().find({1}); }
  bool warned() const { return core_.idle().warning({1}) != nullptr; }

  Time now_{seconds(1'700'000'000).ns};
  std::uint64_t seq_ = 0;
  control::Controller core_{control::Config{}};
  Telemetry telemetry_{core_};
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
  now_ = now_ + seconds(7200);
  pass(5, 0, 0);
  EXPECT_TRUE(told_.empty());
}

}  // namespace
}  // namespace gyre::server
