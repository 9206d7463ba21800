#include "live/playback.h"

#include <gtest/gtest.h>

#include <deque>
#include <future>
#include <thread>
#include <vector>

#include "control/driver.h"

namespace gyre::live {
namespace {

Time at(std::int64_t s) { return Time{} + seconds(s); }

struct PlayHeadTest : testing::Test {
  Duration wall{};
  PlayHead head{[this] { return wall; }, 10};
};

TEST_F(PlayHeadTest, GoesAtItsSpeedAndStandsWhenPaused) {
  EXPECT_EQ(head.until(at(20)), seconds(2) + nanoseconds(1));
  wall = seconds(1);
  EXPECT_EQ(head.now(), at(10));
  head.set_paused(true);
  wall = seconds(100);
  EXPECT_EQ(head.now(), at(10));
  EXPECT_EQ(head.until(at(20)), std::nullopt);
  head.set_paused(false);
  head.set_speed(100);
  wall = seconds(101);
  EXPECT_EQ(head.now(), at(110));
  EXPECT_EQ(head.until(at(105)), Duration{});
}

TEST_F(PlayHeadTest, WaitsForAWorldThatIsTooSlow) {
  wall = seconds(100);  // the head is at 1000
  EXPECT_EQ(head.until(at(5)), Duration{});
  EXPECT_EQ(head.now(), at(5));
}

TEST_F(PlayHeadTest, SeeksForwardThroughAllThatComesBefore) {
  head.seek(at(50));
  EXPECT_TRUE(head.seeking());
  EXPECT_FALSE(head.wants_to_begin_anew());
  EXPECT_EQ(head.until(at(40)), Duration{});
  EXPECT_EQ(head.now(), at(40));
  EXPECT_EQ(head.until(at(60)), seconds(1) + nanoseconds(1));
  EXPECT_EQ(head.now(), at(50));
}

TEST_F(PlayHeadTest, SeeksBackByBeginningAnewAlsoFromTheEnd) {
  EXPECT_EQ(head.until(at(0)), Duration{});
  wall = seconds(10);
  EXPECT_EQ(head.until(at(90)), Duration{});
  head.finish();
  EXPECT_TRUE(head.over());
  wall = seconds(50);
  EXPECT_EQ(head.now(), at(90));
  head.seek(at(30));
  EXPECT_TRUE(head.wants_to_begin_anew());
  head.begin_anew();
  EXPECT_FALSE(head.over());
  EXPECT_EQ(head.until(at(20)), Duration{});
  EXPECT_EQ(head.until(at(40)), seconds(1) + nanoseconds(1));
}

/// A list of times.
struct Times final : control::World {
  std::deque<Time> times;
  std::uint64_t seq = 0;
  std::optional<Event> next(std::optional<Time>) override {
    if (times.empty()) return std::nullopt;
    const Event event{times.front(), EventSeq{++seq}, Tick{}};
    times.pop_front();
    return event;
  }
  bool has_pending() const override { return false; }
  void committed(EventSeq) override {}
  void submit(const Command&) override {}
};

TEST(PlaybackTest, AnswersAndRefusesWhileItWaits) {
  control::Controller core{control::Config{}};
  Inbox inbox;
  Times times;
  times.times = {at(1), at(1'000'000)};
  PlayHead head([] { return Duration{}; }, 1);
  Playback playback(times, inbox, head, core);
  head.seek(at(1));
  EXPECT_TRUE(playback.next(std::nullopt).has_value());
  std::thread driver([&] { EXPECT_FALSE(playback.next(std::nullopt).has_value()); });
  std::optional<ErrorKind> refused;
  inbox.post(JobStopRequested{JobId{1}},
             [&](Result<EventSeq> done) { refused = done.error().kind; });
  Time seen;
  ASSERT_TRUE(inbox.ask([&](const auto&) { seen = head.now(); }));
  inbox.shutdown();
  driver.join();
  EXPECT_EQ(refused, ErrorKind::Conflict);
  EXPECT_EQ(seen, at(1));
}

TEST(PlaybackTest, AfterTheEndItStillAnswersAndMayBeginAnew) {
  control::Controller core{control::Config{}};
  Inbox inbox;
  Times times;
  PlayHead head([] { return Duration{}; }, 1);
  Playback playback(times, inbox, head, core);
  std::thread driver([&] { EXPECT_FALSE(playback.next(std::nullopt).has_value()); });
  for (bool over = false; !over;) {  // the first question may come before the end
    std::promise<bool> answer;
    ASSERT_TRUE(inbox.ask([&](const auto&) { answer.set_value(head.over()); }));
    over = answer.get_future().get();
  }
  ASSERT_TRUE(inbox.ask([&](const auto&) {
    head.set_paused(true);
    head.seek(Time{});
    // Already at its beginning: only what lies behind is begun anew.
    EXPECT_FALSE(head.wants_to_begin_anew());
  }));
  inbox.shutdown();
  driver.join();
}

}  // namespace
}  // namespace gyre::live
