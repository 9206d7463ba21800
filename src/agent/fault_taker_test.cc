#include "agent/fault_taker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace gyre::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = ChaosFault::Kind;
using Way = ChaosFault::Way;

constexpr act::TaskKey kTask{JobId{1}, 1, 0};

act::FaultOrder order(std::uint64_t id, Kind kind, Duration lasts) {
  act::FaultOrder out;
  out.id = id;
  out.kind = kind;
  out.lasts = lasts;
  out.task = kTask;
  return out;
}

struct NotedBreaker final : act::NodeBreaker {
  Result<void> kill_task(const act::TaskKey&) override { return note("kill"); }
  Result<void> hang_task(const act::TaskKey&, Duration) override { return note("hang"); }
  void resume_task(const act::TaskKey&) override { static_cast<void>(note("resume")); }
  Result<void> pause(Duration) override { return note("pause"); }
  Result<void> restart(Duration, bool tasks_too) override {
    return note(tasks_too ? "power off" : "restart");
  }
  Result<void> note(const char* what) {
    done.emplace_back(what);
    return {};
  }
  std::vector<std::string> done;
};

struct NotedDisk final : act::DiskFiller {
  std::string obstacle() const override { return why; }
  Result<void> fill(Duration) override {
    done.emplace_back("fill");
    if (!why.empty()) return fail(ErrorKind::Unsupported, "{}", why);
    return {};
  }
  void empty() override { done.emplace_back("empty"); }
  std::string why;
  std::vector<std::string> done;
};

/// What is dialed: keeps what is said and can say something itself.
struct TestDialer final : Dialer {
  struct TestLink final : Link {
    explicit TestLink(TestDialer& of) : dialer(of) {}
    ~TestLink() override { dialer.listener = nullptr; }
    void say(act::Report report) override {
      const std::lock_guard guard(dialer.mutex);
      dialer.said.push_back(std::move(report));
      dialer.changed.notify_all();
    }
    TestDialer& dialer;
  };
  std::unique_ptr<Link> dial(const act::Hello&, LinkListener& to) override {
    listener = &to;
    ++dials;
    return std::make_unique<TestLink>(*this);
  }
  void wait_until_said(std::size_t count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return said.size() >= count; });
  }
  LinkListener* listener = nullptr;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<act::Report> said;
  int dials = 0;
};

struct TestListener final : LinkListener {
  void received(act::Order) override { ++orders; }
  void broke(const Error& why) override {
    const std::lock_guard guard(mutex);
    broken.push_back(why.message);
    changed.notify_all();
  }
  void wait_until_broken() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return !broken.empty(); });
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> broken;
  int orders = 0;
};

class FaultTakerTest : public ::testing::Test {
 protected:
  NotedBreaker breaker_;
  TestDialer inner_;
  CutDialer dialer_{inner_};
  NotedDisk disk_;
  FaultTaker taker_{breaker_, disk_, dialer_};
};

TEST_F(FaultTakerTest, ACutLosesWordsBothWaysAndThenTheLinkBreaks) {
  TestListener listener;
  const auto link = dialer_.dial({}, listener);
  link->say(act::Beat{1});
  ASSERT_TRUE(taker_.obey(order(1, Kind::CutNode, seconds(500))));
  link->say(act::Beat{2});
  inner_.listener->received(act::AdoptTask{kTask});
  EXPECT_EQ(inner_.said.size(), 1U);
  EXPECT_EQ(listener.orders, 0);
  EXPECT_THAT(listener.broken, IsEmpty()) << "a cut is silent";
  act::FaultOrder mend;
  mend.id = 1;
  mend.mend = true;
  ASSERT_TRUE(taker_.obey(mend));
  EXPECT_THAT(listener.broken, ElementsAre(HasSubstr("is not any more")));
}

TEST_F(FaultTakerTest, AOneWayCutLetsTheOtherWayPass) {
  TestListener listener;
  const auto link = dialer_.dial({}, listener);
  dialer_.cut(Way::ToNode);
  link->say(act::Beat{1});
  inner_.listener->received(act::AdoptTask{kTask});
  EXPECT_EQ(inner_.said.size(), 1U);
  EXPECT_EQ(listener.orders, 0);
  dialer_.cut(Way::ToServer);
  link->say(act::Beat{2});
  inner_.listener->received(act::AdoptTask{kTask});
  EXPECT_EQ(inner_.said.size(), 1U);
  EXPECT_EQ(listener.orders, 1);
}

TEST_F(FaultTakerTest, NobodyIsReachedByDialingDuringACut) {
  dialer_.cut(Way::Both);
  TestListener listener;
  const auto link = dialer_.dial({}, listener);
  EXPECT_EQ(inner_.dials, 0);
  EXPECT_THAT(listener.broken, ElementsAre("cut off on purpose"));
  link->say(act::Beat{1});
}

TEST_F(FaultTakerTest, AFaultEndsByItself) {
  TestListener listener;
  const auto link = dialer_.dial({}, listener);
  ASSERT_TRUE(taker_.obey(order(1, Kind::CutNode, milliseconds(1))));
  listener.wait_until_broken();
}

TEST_F(FaultTakerTest, OneFaultAtATimeAndNoneTooLong) {
  ASSERT_TRUE(taker_.obey(order(1, Kind::HangTask, seconds(500))));
  const auto second = taker_.obey(order(2, Kind::KillTask, seconds(0)));
  EXPECT_EQ(second.error().kind, ErrorKind::Conflict);
  EXPECT_THAT(breaker_.done, ElementsAre("hang"));
  const auto too_long = taker_.obey(order(3, Kind::CutNode, seconds(601)));
  EXPECT_EQ(too_long.error().kind, ErrorKind::Invalid);
  act::FaultOrder other;
  other.id = 2;
  other.mend = true;
  ASSERT_TRUE(taker_.obey(other));
  EXPECT_THAT(breaker_.done, ElementsAre("hang")) << "the mend of another one";
  other.id = 1;
  ASSERT_TRUE(taker_.obey(other));
  EXPECT_THAT(breaker_.done, ElementsAre("hang", "resume"));
  EXPECT_TRUE(taker_.obey(order(4, Kind::KillTask, seconds(0))));
}

TEST_F(FaultTakerTest, WhatAnAgentCannotDoIsRefused) {
  EXPECT_EQ(taker_.obey(order(1, Kind::DrainNode, seconds(1))).error().kind,
            ErrorKind::Unsupported);
  disk_.why = "it is everybody's";
  EXPECT_EQ(taker_.obey(order(1, Kind::FillDisk, seconds(1))).error().message, "it is everybody's");
  act::FaultOrder nameless = order(2, Kind::KillTask, seconds(0));
  nameless.task.reset();
  EXPECT_EQ(taker_.obey(nameless).error().kind, ErrorKind::Invalid);
}

TEST_F(FaultTakerTest, ANodeSaysWhatItCanHave) {
  disk_.why = "it is everybody's";
  std::size_t cannot = 0;
  for (const act::FaultAbility& able : taker_.able()) {
    cannot += able.obstacle.empty() ? 0 : 1;
    EXPECT_EQ(able.obstacle, able.kind == Kind::FillDisk ? disk_.why : "");
  }
  EXPECT_EQ(cannot, 1U);
}

TEST_F(FaultTakerTest, APowerOffTakesTheTasksToo) {
  ASSERT_TRUE(taker_.obey(order(1, Kind::KillNode, seconds(0))));
  EXPECT_THAT(breaker_.done, ElementsAre("power off"));
}

TEST_F(FaultTakerTest, ABrokenDeviceKillsTheTasksThatHaveIt) {
  act::FaultOrder broken = order(1, Kind::BreakGpu, seconds(500));
  broken.tasks = {kTask, {JobId{2}, 1, 0}};
  ASSERT_TRUE(taker_.obey(broken));
  EXPECT_THAT(breaker_.done, ElementsAre("kill", "kill"));
}

TEST_F(FaultTakerTest, AFullDiskIsEmptiedInTheEnd) {
  ASSERT_TRUE(taker_.obey(order(1, Kind::FillDisk, seconds(500))));
  act::FaultOrder mend;
  mend.id = 1;
  mend.mend = true;
  ASSERT_TRUE(taker_.obey(mend));
  EXPECT_THAT(disk_.done, ElementsAre("fill", "empty"));
}

act::FaultOrder slow(std::uint64_t id, SpanRange delay, std::int64_t lost_percent) {
  act::FaultOrder out = order(id, Kind::SlowNetwork, seconds(500));
  out.network.delay = delay;
  out.network.lost_percent = {lost_percent, lost_percent};
  return out;
}

TEST_F(FaultTakerTest, WordsOfASlowNetworkComeLateAndInOrder) {
  TestListener listener;
  const auto link = dialer_.dial({}, listener);
  ASSERT_TRUE(taker_.obey(slow(1, {milliseconds(0), milliseconds(20)}, 0)));
  for (std::uint64_t i = 1; i <= 20; ++i) link->say(act::Beat{i});
  inner_.wait_until_said(20);
  for (std::uint64_t i = 1; i <= 20; ++i) {
    EXPECT_EQ(std::get<act::Beat>(inner_.said[i - 1]), act::Beat{i});
  }
  EXPECT_TRUE(taker_.obey(order(2, Kind::HangTask, seconds(1)))) << "another fault goes beside it";
  EXPECT_THAT(listener.broken, IsEmpty());
}

TEST_F(FaultTakerTest, WhatWaitsInASlowNetworkEndsWithItsLink) {
  TestListener listener;
  auto link = dialer_.dial({}, listener);
  ASSERT_TRUE(taker_.obey(slow(1, {seconds(400), seconds(400)}, 0)));
  link->say(act::Beat{1});
  inner_.listener->received(act::AdoptTask{kTask});
  EXPECT_EQ(link->waiting(), 1U);
  link.reset();
  EXPECT_THAT(inner_.said, IsEmpty());
  EXPECT_EQ(listener.orders, 0);
}

TEST_F(FaultTakerTest, WithALostWordGoesAllThatFollowsAndThenTheLinkBreaks) {
  TestListener listener;
  const auto link = dialer_.dial({}, listener);
  ASSERT_TRUE(taker_.obey(slow(1, {}, 100)));
  link->say(act::Beat{1});
  act::FaultOrder mend;
  mend.id = 1;
  mend.mend = true;
  ASSERT_TRUE(taker_.obey(mend));
  link->say(act::Beat{2});
  inner_.listener->received(act::AdoptTask{kTask});
  EXPECT_THAT(inner_.said, IsEmpty());
  EXPECT_EQ(listener.orders, 1) << "the other way still passes";
  listener.wait_until_broken();
  EXPECT_THAT(listener.broken, ElementsAre(HasSubstr("was lost on purpose")));
}

TEST(FaultTakerEndTest, WhatLastsIsMendedWhenTheAgentEnds) {
  NotedBreaker breaker;
  TestDialer inner;
  CutDialer dialer(inner);
  {
    NotedDisk disk;
    FaultTaker taker(breaker, disk, dialer);
    ASSERT_TRUE(taker.obey(order(1, Kind::HangTask, seconds(500))));
  }
  EXPECT_THAT(breaker.done, ElementsAre("hang", "resume"));
}

}  // namespace
}  // namespace gyre::agent
