// What being stopped costs a job, as starts and stops were measured.
#include <csignal>

#include "control/controller_suite.h"

namespace gyre::control {
namespace {

class RestartsTest : public ControllerTest {
 protected:
  RestartsTest() : ControllerTest("srtf") { add_node(8); }

  static JobSpec soft(std::int32_t gpus, Duration expected) {
    JobSpec spec = with(job_of(gpus), expected);
    spec.preemptible = true;
    return spec;
  }

  /// Jobs that take so long to start, and to be gone once they are told to.
  void measure(Duration start, Duration stop, int jobs = 10) {
    for (int i = 0; i < jobs; ++i) {
      const JobId id = submit(soft(1, seconds(1)));
      now_ = now_ + start;
      start_all(id);
      tell(JobStopRequested{id});
      now_ = now_ + stop;
      end_all(id, {TaskExit::Kind::Signaled, SIGTERM, true, {}});
    }
  }
};

TEST_F(RestartsTest, StartsAndStopsThatWereMeasuredAreGoneBy) {
  EXPECT_EQ(core_.restart_cost(), Duration{0});
  measure(seconds(20), seconds(10));
  EXPECT_GE(core_.restart_cost(), seconds(27)) << "30 s, in steps";
  EXPECT_LE(core_.restart_cost(), seconds(30));
  const JobId runs = submit_running(soft(8, seconds(100)));
  submit(with(job_of(8), seconds(80)));
  EXPECT_EQ(state(runs), JobState::Running) << "20 s sooner, and 30 s lost";
  submit(with(job_of(8), seconds(60)));
  EXPECT_EQ(state(runs), JobState::Preempting);
}

TEST_F(RestartsTest, FewSayNothing) {
  measure(seconds(20), seconds(10), 9);
  EXPECT_EQ(core_.restart_cost(), Duration{0});
}

TEST_F(RestartsTest, ThePolicysCostIsTheLeast) {
  measure(seconds(20), seconds(10));
  PolicySpec policy = *policy_by_name("srtf");
  policy.restart_cost = seconds(600);
  tell(PolicySet{policy});
  EXPECT_EQ(core_.restart_cost(), seconds(600));
  policy.restart_cost = seconds(1);
  tell(PolicySet{policy});
  EXPECT_GE(core_.restart_cost(), seconds(27));
}

TEST_F(RestartsTest, WhatIsNotToldOfAStartIsNoMeasure) {
  measure(Duration{0}, Duration{0}, 20);
  for (int i = 0; i < 20; ++i) {
    const JobId id = submit(soft(1, seconds(1)));
    now_ = now_ + seconds(500);
    end_all(id);  // that it ran is known from its end alone
  }
  EXPECT_TRUE(core_.recent_starts().latest().empty());
  EXPECT_EQ(core_.restart_cost(), Duration{0});
}

TEST_F(RestartsTest, WhoWaitsIsLookedAtAgainWhenRestartsBecomeCheaper) {
  measure(seconds(200), Duration{0});
  const JobId runs = submit_running(soft(8, seconds(1000)));
  submit(with(job_of(8), seconds(900)));
  EXPECT_EQ(state(runs), JobState::Running);
  add_node(1);
  JobId last;
  while (core_.restart_cost() > seconds(2)) {
    EXPECT_EQ(state(runs), JobState::Running);
    last = submit(soft(1, seconds(1)));
    now_ = now_ + seconds(1);
    start_all(last);
    if (core_.restart_cost() <= seconds(2)) break;
    end_all(last);
  }
  EXPECT_EQ(state(runs), JobState::Preempting);
}

TEST_F(RestartsTest, ARestoredCoreKnowsThem) {
  measure(seconds(20), seconds(10), 120);
  const auto twin = Controller::restore(Config{}, core_.state());
  ASSERT_TRUE(twin) << twin.error().message;
  EXPECT_EQ(twin->restart_cost(), core_.restart_cost());
  EXPECT_EQ(twin->recent_starts().latest(), core_.recent_starts().latest());
  EXPECT_EQ(twin->state(), core_.state());
}

}  // namespace
}  // namespace gyre::control
