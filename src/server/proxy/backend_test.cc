#include "server/proxy/backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>

namespace gyre::server::proxy {
namespace {

using ::testing::ElementsAre;

Endpoint endpoint(std::uint64_t job, bool ready = true, bool draining = false) {
  return {{JobId{job}, 1}, NodeId{0}, 80, ready, draining};
}

Route route(std::vector<Endpoint> endpoints) {
  Route one;
  one.name = "chat";
  one.requests.queue_max = 2;
  one.endpoints = std::move(endpoints);
  return one;
}

constexpr Duration kNow = seconds(1000);

struct Backed {
  explicit Backed(std::vector<Endpoint> endpoints) : backend(route(endpoints)) {
    backend.update(route(std::move(endpoints)), kNow);
  }
  std::uint64_t take(Duration now = kNow) {
    const auto taken = backend.take(now);
    return taken ? taken->key.job.value : 0;
  }
  Backend backend;
};

struct Waiting final : Backend::Waiter {
  void wake() override { woken = true; }
  bool waits() const override { return !woken; }
  bool woken = false;
};

TEST(Backend, TheReadyOneWithTheFewestRequestsIsNext) {
  Backed one({endpoint(1), endpoint(2), endpoint(3, false), endpoint(4, true, true)});
  std::map<std::uint64_t, int> counts;
  for (int i = 0; i < 10; ++i) ++counts[one.take()];
  EXPECT_EQ(counts, (std::map<std::uint64_t, int>{{1, 5}, {2, 5}}));
  one.backend.give_back({JobId{2}, 1}, Outcome::Answered, kNow);
  EXPECT_EQ(one.take(), 2U);
  EXPECT_EQ(one.backend.in_flight(), 10);
}

TEST(Backend, OneThatFailedIsPassedOverForATimeThatDoubles) {
  Backed one({endpoint(1)});
  Duration now = kNow;
  for (int failures = 1; failures <= 4; ++failures) {
    ASSERT_EQ(one.take(now), 1U);
    one.backend.give_back({JobId{1}, 1}, Outcome::Failed, now);
    const Duration pause = milliseconds(100) * (1 << (failures - 1));
    EXPECT_EQ(one.take(now + pause - milliseconds(1)), 0U);
    now = now + pause;
  }
  ASSERT_EQ(one.take(now), 1U);
  one.backend.give_back({JobId{1}, 1}, Outcome::Answered, now);
  EXPECT_EQ(one.take(now), 1U);
}

TEST(Backend, ARequestThatItsClientGaveUpSaysNothingOfTheReplica) {
  Backed one({endpoint(1)});
  ASSERT_EQ(one.take(), 1U);
  one.backend.give_back({JobId{1}, 1}, Outcome::Failed, kNow);
  const Duration later = kNow + milliseconds(100);
  ASSERT_EQ(one.take(later), 1U);
  one.backend.give_back({JobId{1}, 1}, Outcome::Unknown, later);
  ASSERT_EQ(one.take(later), 1U);
  one.backend.give_back({JobId{1}, 1}, Outcome::Failed, later);
  EXPECT_EQ(one.take(later + milliseconds(199)), 0U);
  EXPECT_EQ(one.take(later + milliseconds(200)), 1U);
}

TEST(Backend, WaitersAreBoundedAndWokenWhenAReplicaIsThere) {
  Backed one({});
  const auto first = std::make_shared<Waiting>();
  const auto second = std::make_shared<Waiting>();
  EXPECT_TRUE(one.backend.wait(first, kNow));
  EXPECT_TRUE(one.backend.wait(second, kNow));
  EXPECT_FALSE(one.backend.wait(std::make_shared<Waiting>(), kNow));
  one.backend.wake_waiters(kNow);
  EXPECT_FALSE(first->woken);
  one.backend.update(route({endpoint(1)}), kNow);
  EXPECT_TRUE(first->woken && second->woken);
}

TEST(Backend, AReplicaTakesNoMoreThanItMay) {
  Route limited = route({endpoint(1)});
  limited.requests.in_flight_max = 2;
  Backend backend(limited);
  backend.update(limited, kNow);
  EXPECT_TRUE(backend.take(kNow));
  EXPECT_TRUE(backend.take(kNow));
  EXPECT_FALSE(backend.take(kNow));
}

TEST(Backend, RetriesAreAFifthOfTheRequests) {
  Backed one({});
  int first = 0;
  while (one.backend.may_retry()) ++first;
  EXPECT_EQ(first, 10);
  for (int i = 0; i < 100; ++i) one.backend.began();
  int later = 0;
  while (one.backend.may_retry()) ++later;
  EXPECT_EQ(later, 20);
}

TEST(Backend, ADrainingReplicaIsDrainedWhenItsLastRequestIsOver) {
  Backed one({endpoint(1)});
  ASSERT_EQ(one.take(), 1U);
  one.backend.update(route({endpoint(1, true, true)}), kNow);
  EXPECT_THAT(one.backend.drained(), ElementsAre());
  one.backend.update(route({endpoint(1, false, true)}), kNow);  // and no longer ready
  EXPECT_THAT(one.backend.drained(), ElementsAre());
  one.backend.give_back({JobId{1}, 1}, Outcome::Answered, kNow);
  EXPECT_THAT(one.backend.drained(), ElementsAre(EndpointKey{JobId{1}, 1}));
}

TEST(Backend, LoadIsTheMeanOverTime) {
  Backed one({endpoint(1)});
  one.backend.mean_in_flight_milli(kNow);
  one.take(kNow);
  one.take(kNow + milliseconds(500));
  EXPECT_EQ(one.backend.mean_in_flight_milli(kNow + seconds(1)), 1500);
  EXPECT_EQ(one.backend.mean_in_flight_milli(kNow + seconds(2)), 2000);
}

TEST(Backend, TheLongestWaitIsOfThoseWhoWaitAndThoseWhoDidOfLate) {
  Backed one({});
  EXPECT_EQ(one.backend.longest_wait(kNow), Duration{});
  const auto waiter = std::make_shared<Waiting>();
  ASSERT_TRUE(one.backend.wait(waiter, kNow));
  EXPECT_EQ(one.backend.longest_wait(kNow + seconds(3)), seconds(3));
  EXPECT_EQ(one.backend.longest_wait(kNow + seconds(4)), seconds(4));
  waiter->woken = true;
  one.backend.leave(seconds(5), kNow + seconds(5));
  EXPECT_EQ(one.backend.longest_wait(kNow + seconds(6)), seconds(5));
  EXPECT_EQ(one.backend.longest_wait(kNow + seconds(7)), Duration{});
}

TEST(Backend, QuantilesAreThoseOfLate) {
  Backed one({endpoint(1)});
  for (int i = 0; i < 100; ++i) one.backend.ended(200, milliseconds(i < 98 ? 15 : 1500), kNow);
  const ServiceStats stats = one.backend.stats(kNow + seconds(1));
  EXPECT_EQ(stats.by_class[2], 100U);
  ASSERT_TRUE(stats.p50 && stats.p99);
  EXPECT_NEAR(stats.p50->seconds(), 0.015, 0.005);
  EXPECT_GT(stats.p99->seconds(), 1.0);
  EXPECT_FALSE(one.backend.stats(kNow + seconds(60)).p50);
}

}  // namespace
}  // namespace gyre::server::proxy
