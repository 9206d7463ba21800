#include "live/clock.h"

#include <gtest/gtest.h>

#include <memory>

namespace gyre::live {
namespace {

struct Hands {
  Time real{1'000'000'000'000};
  Duration monotonic{};

  void pass(Duration time) {
    real = real + time;
    monotonic = monotonic + time;
  }
};

class ClockTest : public testing::Test {
 protected:
  Clock clock(Time not_before = {}) {
    return Clock(
        [hands = hands_] {
          return ClockReading{hands->real, hands->monotonic};
        },
        not_before);
  }
  std::shared_ptr<Hands> hands_ = std::make_shared<Hands>();
};

TEST_F(ClockTest, IsTheMachines) {
  Clock clock = this->clock();
  EXPECT_EQ(clock.now(), hands_->real);
  hands_->pass(seconds(5));
  EXPECT_EQ(clock.now(), hands_->real);
  hands_->real = hands_->real + seconds(3600);  // set forwards
  EXPECT_EQ(clock.now(), hands_->real);
  EXPECT_EQ(clock.steps_back(), 0U);
}

TEST_F(ClockTest, GoesOnAtHalfSpeedAfterAStepBackUntilTheyMeet) {
  Clock clock = this->clock();
  const Time before = clock.now();
  hands_->real = hands_->real - seconds(10);
  EXPECT_EQ(clock.now(), before);
  EXPECT_EQ(clock.steps_back(), 1U);
  EXPECT_EQ(clock.ahead(), seconds(10));
  hands_->pass(seconds(10));
  EXPECT_EQ(clock.now(), before + seconds(5));
  EXPECT_EQ(clock.steps_back(), 1U);
  for (int i = 0; i < 20; ++i) {
    hands_->pass(seconds(1));
    clock.now();
  }
  EXPECT_EQ(clock.now(), hands_->real);
  EXPECT_EQ(clock.ahead(), Duration{});
  hands_->real = hands_->real - seconds(1);
  clock.now();
  EXPECT_EQ(clock.steps_back(), 2U);
}

TEST_F(ClockTest, BeginsWhereTheLastLifeEnded) {
  const Time recorded = hands_->real + seconds(60);
  Clock clock = this->clock(recorded);
  EXPECT_GE(clock.now(), recorded);
  EXPECT_EQ(clock.steps_back(), 1U);
}

TEST(SystemClock, Runs) {
  const ClockSource source = system_clock_source();
  const ClockReading first = source();
  EXPECT_GT(first.real.ns, 0);
  EXPECT_LE(first.monotonic, source().monotonic);
}

}  // namespace
}  // namespace gyre::live
