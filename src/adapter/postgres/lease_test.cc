#include "adapter/postgres/lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <atomic>

#include "adapter/postgres/test_kit.h"

namespace gyre::adapter::postgres {
namespace {

using testing::HasSubstr;

TEST(LeaseWatchTest, IsOverWhenNothingHasChangedForTheLease) {
  LeaseWatch watch;
  const LeaseMark mark{5, 1, 7};
  watch.saw(mark, seconds(100), seconds(101));
  EXPECT_FALSE(watch.is_over());
  watch.saw(mark, seconds(101) + kLease, seconds(101) + kLease);
  EXPECT_FALSE(watch.is_over());
  watch.saw(mark, seconds(101) + kLease + kLeaseMargin, seconds(200));
  EXPECT_TRUE(watch.is_over());
  watch.saw({5, 1, 8}, seconds(200), seconds(200));
  EXPECT_FALSE(watch.is_over());
}

// A standby that was stopped itself has not looked meanwhile: what it saw before counts for
// nothing.
TEST(LeaseWatchTest, AnAnswerThatCameLateSaysWhatWasWhenItWasAskedFor) {
  LeaseWatch watch;
  watch.saw({5, 1, 7}, seconds(100), seconds(100));
  watch.saw({5, 1, 7}, seconds(101), seconds(500));
  EXPECT_FALSE(watch.is_over());
}

// However long looks take: whoever beats at least once a lease, by a clock as fast, is never given
// up, and who was given up was silent for longer than its own lease.
RC_GTEST_PROP(LeaseWatchProperty, NeverGivesUpALeaderWithinItsLease, ()) {
  LeaseWatch watch;
  std::int64_t now_ms = 1'000;
  std::int64_t last_beat_ms = now_ms;
  std::int64_t beat = 0;
  const auto steps = *rc::gen::container<std::vector<std::pair<int, int>>>(
      rc::gen::pair(rc::gen::inRange(0, 2'000), rc::gen::inRange(0, 2'000)));
  for (const auto& [wait_ms, answer_ms] : steps) {
    now_ms += wait_ms;
    const bool beats = *rc::gen::inRange(0, 3) > 0;
    if (beats) ++beat, last_beat_ms = now_ms;
    const std::int64_t asked_ms = now_ms;
    now_ms += answer_ms;
    watch.saw({1, 1, beat}, milliseconds(asked_ms), milliseconds(now_ms));
    if (watch.is_over()) RC_ASSERT(milliseconds(asked_ms - last_beat_ms) >= kLease);
  }
}

class LeaseKeeperTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = PostgresPlace::why_not(); !why.empty()) GTEST_SKIP() << why;
  }

  std::unique_ptr<LeaseKeeper> keep(std::int64_t term) {
    return std::make_unique<LeaseKeeper>(LeaseKeeper::Options{
        place_.target(), term, Duration{clock_}, [this] { return Duration{clock_}; },
        [this](const Error& why) {
          reason_ = why.message;
          fenced_ = true;
        },
        [](const std::string&) {}});
  }
  std::optional<Lease> lease() {
    auto connection = place_.connection();
    return read_lease(connection).value();
  }
  template <class Holds>
  static void until(Holds holds) {
    for (int looks = 0; looks < 6000 && !holds(); ++looks) ::usleep(10'000);
    ASSERT_TRUE(holds());
  }

  PostgresPlace place_;
  std::atomic<std::int64_t> clock_ = 1'000;
  std::atomic<bool> fenced_ = false;
  std::string reason_;
};

TEST_F(LeaseKeeperTest, BeatsAndLetsGo) {
  const auto journal = PostgresJournal::open(place_.options("a")).value();
  const auto keeper = keep(journal->term());
  EXPECT_TRUE(keeper->leads());
  const LeaseMark first = lease()->mark;
  until([&] { return lease()->mark.beat > first.beat + 1; });
  keeper->release();
  EXPECT_FALSE(keeper->leads());
  EXPECT_TRUE(lease()->released);
  EXPECT_TRUE(PostgresJournal::open(place_.options("b")));
}

// The process was stopped, or its machine slept: it knows before it has asked anybody.
TEST_F(LeaseKeeperTest, LeadsNoMoreWhenItsLeaseIsOverUntilItHasBeatenAgain) {
  const auto journal = PostgresJournal::open(place_.options("a")).value();
  const auto keeper = keep(journal->term());
  TestServer::get().stop();
  clock_ += kLease.ns;
  EXPECT_FALSE(keeper->leads());
  TestServer::get().start();
  until([&] { return keeper->leads(); });
  EXPECT_FALSE(fenced_);
}

TEST_F(LeaseKeeperTest, IsToldWhenAnotherServerLeads) {
  const auto journal = PostgresJournal::open(place_.options("a")).value();
  const auto keeper = keep(journal->term());
  auto options = place_.options("b");
  for (;;) {  // between two beats
    options.take.over = lease()->mark;
    if (PostgresJournal::open(options)) break;
  }
  until([&] { return fenced_.load(); });
  EXPECT_FALSE(keeper->leads());
  clock_ += 1;
  EXPECT_FALSE(keeper->leads());
  EXPECT_THAT(reason_, HasSubstr("server b"));
}

}  // namespace
}  // namespace gyre::adapter::postgres
