#include "live/fault_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace gyre::live {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

struct TestSink final : FaultSink {
  void give(const act::FaultOrder& order) override { orders.push_back(order); }
  void end(const Error& why) override { ended = why.message; }
  std::vector<act::FaultOrder> orders;
  std::string ended;
};

act::FaultOrder cut(std::uint64_t id) {
  act::FaultOrder order;
  order.id = id;
  order.kind = ChaosFault::Kind::CutNode;
  order.lasts = seconds(1);
  return order;
}

/// What became of an order.
struct Outcome {
  std::vector<Result<void>> told;
  Done<void> done() {
    return [this](const Result<void>& begun) { told.push_back(begun); };
  }
};

TEST(FaultDeskTest, AnOrderReachesItsNodeAndItsAnswerWhoAsked) {
  FaultDesk desk;
  TestSink one;
  TestSink two;
  const auto first = desk.enter("one", one);
  desk.enter("two", two);
  Outcome outcome;
  desk.order("one", cut(5), outcome.done());
  EXPECT_THAT(one.orders, ElementsAre(cut(5)));
  EXPECT_TRUE(two.orders.empty());
  EXPECT_TRUE(outcome.told.empty());
  desk.answered(first, {6, {}});  // of nothing that was asked
  EXPECT_TRUE(outcome.told.empty());
  desk.answered(first, {5, {}});
  desk.answered(first, {5, {}});
  ASSERT_EQ(outcome.told.size(), 1U);
  EXPECT_TRUE(outcome.told.front());
}

TEST(FaultDeskTest, ANodeSaysWhatItCanHave) {
  using Kind = ChaosFault::Kind;
  FaultDesk desk;
  TestSink sink;
  EXPECT_THAT(desk.obstacle("one", Kind::CutNode), HasSubstr("--chaos"));
  const auto line = desk.enter("one", sink);
  EXPECT_EQ(desk.obstacle("one", Kind::CutNode), "") << "what an earlier release could";
  EXPECT_THAT(desk.obstacle("one", Kind::KillNode), HasSubstr("of a release"));
  desk.answered(line, {0, {}, {{Kind::KillNode, ""}, {Kind::FillDisk, "it is everybody's"}}});
  EXPECT_EQ(desk.obstacle("one", Kind::KillNode), "");
  EXPECT_EQ(desk.obstacle("one", Kind::FillDisk), "it is everybody's");
  EXPECT_THAT(desk.obstacle("one", Kind::BreakGpu), HasSubstr("of a release"));
}

TEST(FaultDeskTest, ANodeWhoseOperatorDidNotAllowItIsNotBroken) {
  FaultDesk desk;
  Outcome outcome;
  desk.order("one", cut(1), outcome.done());
  ASSERT_EQ(outcome.told.size(), 1U);
  EXPECT_EQ(outcome.told.front().error().kind, ErrorKind::Conflict);
  EXPECT_THAT(outcome.told.front().error().message, HasSubstr("start it with --chaos"));
}

TEST(FaultDeskTest, ALineThatBreaksIsToldToWhoWaits) {
  FaultDesk desk;
  TestSink sink;
  const auto line = desk.enter("one", sink);
  Outcome outcome;
  desk.order("one", cut(1), outcome.done());
  desk.leave(line);
  desk.leave(line);
  ASSERT_EQ(outcome.told.size(), 1U);
  EXPECT_EQ(outcome.told.front().error().kind, ErrorKind::Unavailable);
  EXPECT_TRUE(desk.lines().empty());
}

TEST(FaultDeskTest, ANewLineOfANodeTakesTheFormersPlace) {
  FaultDesk desk;
  TestSink former;
  TestSink present;
  const auto first = desk.enter("one", former);
  const auto second = desk.enter("one", present);
  EXPECT_THAT(former.ended, HasSubstr("another agent"));
  desk.mend("one", 9);
  ASSERT_EQ(present.orders.size(), 1U);
  EXPECT_TRUE(present.orders.front().mend);
  EXPECT_TRUE(former.orders.empty());
  desk.leave(first);
  EXPECT_THAT(desk.lines(), ElementsAre(Pair("one", second)));
}

}  // namespace
}  // namespace gyre::live
