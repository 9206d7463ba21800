#include "live/work_budget.h"

#include <gtest/gtest.h>

namespace gyre::live {
namespace {

/// A core whose cycles look at some thousands of node states, and a clock that says what each took.
class WorkBudgetTest : public ::testing::Test {
 protected:
  WorkBudgetTest() {
    core_.step({now_, next(), PolicySet{*policy_by_name("easy")}});
    core_.step({now_, next(), QueueSet{{"default", ""}}});
    for (std::uint32_t i = 0; i < 64; ++i) {
      NodeSpec node{"n" + std::to_string(i), "", "A100", 1, {}, CpuMilli{1000 + i}, {}, true};
      core_.step({now_, next(), NodeJoined{{i}, node}});
    }
    for (std::uint64_t i = 1; i <= 200; ++i) {
      JobSpec spec;
      spec.tasks = {{1, {}}};
      spec.tasks[0].request.gpus = 1;
      spec.tasks[0].request.cpu = CpuMilli{static_cast<std::int64_t>(i % 100)};
      core_.step({now_, next(), JobSubmitted{{i}, spec, {}}});
    }
  }

  EventSeq next() { return {++seq_}; }

  /// A job ends, so that all that wait are looked at. Returns the budget that is asked for then.
  std::int64_t cycle(Duration took) {
    const Event event{now_, next(), TaskEnded{{++ended_}, 1, 0, {}}};
    cpu_ = {};
    budget_.before(event);
    const control::Decisions& decisions = core_.step(event);
    EXPECT_GT(core_.last_work(), 1'000);
    cpu_ = took;
    budget_.after(event, decisions, core_);
    std::int64_t asked = 0;
    while (auto request = inbox_.take()) {
      if (auto* posting = std::get_if<Inbox::Posting>(&*request)) {
        asked = std::get<WorkBudgetSet>(posting->body).work;
        set(asked);
      }
    }
    return asked;
  }
  void set(std::int64_t work) {
    const Event event{now_, next(), WorkBudgetSet{work}};
    budget_.before(event);
    budget_.after(event, core_.step(event), core_);
  }

  Time now_;
  std::uint64_t seq_ = 0;
  std::uint64_t ended_ = 0;
  Duration cpu_{};
  control::Controller core_{control::Config{}};
  Inbox inbox_;
  WorkBudget budget_{inbox_, [this] { return cpu_; }};
};

TEST_F(WorkBudgetTest, ADearCycleLowersIt) {
  const Duration took = milliseconds(50);
  const std::int64_t asked = cycle(took);
  EXPECT_EQ(asked, std::max(WorkBudget::kWorkMin, core_.last_work() / 10));
  EXPECT_EQ(core_.work_max(), asked);
}

TEST_F(WorkBudgetTest, ACheapOneThatRanOutRaisesIt) {
  set(2'000);
  EXPECT_GE(cycle(nanoseconds(100'000)), 2'000 * 50);
}

TEST_F(WorkBudgetTest, OneThatTookAsLongAsItMayLeavesIt) {
  set(2'000);
  EXPECT_EQ(cycle(WorkBudget::kCycle), 0);
  EXPECT_EQ(core_.work_max(), 2'000);
}

TEST_F(WorkBudgetTest, ADearEventWithASmallCycleLeavesIt) {
  const Event event{now_, next(), Tick{}};
  budget_.before(event);
  const control::Decisions& decisions = core_.step(event);
  ASSERT_LT(core_.last_work(), WorkBudget::kWorkMin);
  cpu_ = cpu_ + milliseconds(50);
  budget_.after(event, decisions, core_);
  EXPECT_FALSE(inbox_.take());
}

TEST_F(WorkBudgetTest, ACheapOneThatWasDoneLeavesIt) { EXPECT_EQ(cycle(nanoseconds(10'000)), 0); }

}  // namespace
}  // namespace gyre::live
