#include "server/api/policy_log.h"

#include <gtest/gtest.h>

#include <utility>

namespace gyre::server {
namespace {

struct PolicyLogTest : testing::Test {
  control::Controller core{control::Config{}};
  PolicyLog log{core};
  std::uint64_t seq = 0;

  void tell(Event::Body body) {
    ++seq;
    const Event event{Time{static_cast<std::int64_t>(seq)}, EventSeq{seq}, std::move(body)};
    log.after(event, core.step(event), core);
  }
};

TEST_F(PolicyLogTest, KeepsWhatWasInForceAndSinceWhen) {
  EXPECT_TRUE(log.entries().empty());
  tell(PolicySet{*policy_by_name("easy")});
  tell(Tick{});
  tell(PolicySet{*policy_by_name("sjf")});
  tell(PolicySet{*policy_by_name("sjf")});
  PolicySpec broken = *policy_by_name("easy");
  broken.preemptions_max = -1;
  tell(PolicySet{broken});  // the core does not take it either
  ASSERT_EQ(log.entries().size(), 2U);
  EXPECT_EQ(log.entries().front().policy.name, "easy");
  EXPECT_EQ(log.entries().back().policy.name, "sjf");
  EXPECT_EQ(log.entries().back().since, Time{3});
  EXPECT_EQ(log.entries().back().by, EventSeq{3});
}

TEST_F(PolicyLogTest, ALaterLifeKnowsOnlyWhatIsInForce) {
  tell(PolicySet{*policy_by_name("easy")});
  const PolicyLog later(core);
  ASSERT_EQ(later.entries().size(), 1U);
  EXPECT_EQ(later.entries().front().policy.name, "easy");
  EXPECT_FALSE(later.entries().front().since || later.entries().front().by);
}

TEST_F(PolicyLogTest, IsBounded) {
  for (std::size_t i = 0; i < PolicyLog::kKept; ++i) {
    tell(PolicySet{*policy_by_name("fifo")});
    tell(PolicySet{*policy_by_name("easy")});
  }
  EXPECT_EQ(log.entries().size(), PolicyLog::kKept);
  EXPECT_EQ(log.entries().back().policy.name, "easy");
}

}  // namespace
}  // namespace gyre::server
