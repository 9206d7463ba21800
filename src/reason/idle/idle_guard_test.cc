#include "reason/idle/idle_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace gyre::reason {
namespace {

using Verdict = IdleGuard::Verdict;

const IdleSpec kRules{5, seconds(600), seconds(300), {}};
constexpr Time kStart{seconds(1'000'000).ns};

GpuUse use(std::int64_t ppm, Duration over) { return {JobId{7}, 1, true, ppm, true, over}; }

TEST(IdleGuard, WarnsAndThenStops) {
  IdleGuard guard;
  guard.configure(kRules);
  EXPECT_EQ(guard.sees(use(4'000, seconds(599)), kStart), Verdict::Leave);
  EXPECT_EQ(guard.sees(use(4'000, seconds(600)), kStart), Verdict::Warn);
  ASSERT_NE(guard.warning({7}), nullptr);
  EXPECT_EQ(guard.warning({7})->stops_at, kStart + seconds(300));
  EXPECT_EQ(guard.sees(use(4'000, seconds(600)), kStart + seconds(299)), Verdict::Leave);
  EXPECT_EQ(guard.sees(use(4'000, seconds(299)), kStart + seconds(300)), Verdict::Leave);
  EXPECT_EQ(guard.sees(use(4'000, seconds(300)), kStart + seconds(300)), Verdict::Stop);
}

TEST(IdleGuard, WhatIsNotKnownStopsNobody) {
  IdleGuard guard;
  guard.configure(kRules);
  GpuUse unknown = use(0, seconds(600));
  unknown.known = false;
  EXPECT_EQ(guard.sees(unknown, kStart), Verdict::Leave);
  EXPECT_EQ(guard.sees(use(0, seconds(600)), kStart), Verdict::Warn);
  EXPECT_EQ(guard.sees(unknown, kStart + seconds(300)), Verdict::Leave);
  EXPECT_EQ(guard.warning({7}), nullptr);
  EXPECT_EQ(guard.sees(use(0, seconds(600)), kStart + seconds(300)), Verdict::Warn);
}

TEST(IdleGuard, WhoWorksAgainIsLeftAlone) {
  IdleGuard guard;
  guard.configure(kRules);
  EXPECT_EQ(guard.sees(use(49'999, seconds(600)), kStart), Verdict::Warn);
  EXPECT_EQ(guard.sees(use(50'000, seconds(300)), kStart + seconds(300)), Verdict::Leave);
  EXPECT_EQ(guard.warning({7}), nullptr);
}

TEST(IdleGuard, AnotherAttemptBeginsAnew) {
  IdleGuard guard;
  guard.configure(kRules);
  EXPECT_EQ(guard.sees(use(0, seconds(600)), kStart), Verdict::Warn);
  GpuUse next = use(0, seconds(600));
  next.attempt = 2;
  EXPECT_EQ(guard.sees(next, kStart + seconds(900)), Verdict::Warn);
}

TEST(IdleGuard, WithoutRulesNobodyIsLookedAt) {
  IdleGuard guard;
  EXPECT_EQ(guard.sees(use(0, seconds(86'400)), kStart), Verdict::Leave);
  guard.configure(kRules);
  EXPECT_EQ(guard.sees(use(0, seconds(600)), kStart), Verdict::Warn);
  guard.configure({});
  EXPECT_EQ(guard.warning({7}), nullptr);
}

/// Whatever is seen: a stop needs a warning, a whole grace since, and a last sight that is known
/// and below; and a restored twin says the same.
RC_GTEST_PROP(IdleGuardProperty, NobodyIsStoppedWithoutAWarningAndProof, ()) {
  IdleGuard guard;
  guard.configure(kRules);
  Time now = kStart;
  std::optional<Time> proof;  // since when everything that was seen was below
  const auto sights = *rc::gen::inRange(1, 60);
  for (int i = 0; i < sights; ++i) {
    const Duration passed = seconds(*rc::gen::inRange(1, 700));
    now = now + passed;
    GpuUse seen = use(*rc::gen::element(0, 10'000, 49'999, 50'000, 900'000), passed);
    seen.known = *rc::gen::inRange(0, 5) != 0;
    const bool idle = seen.known && seen.activity_ppm < 50'000;
    const IdleWarning* before = guard.warning({7});
    const auto warned_at = before == nullptr ? std::nullopt : std::optional(before->at);
    IdleGuard twin;
    twin.restore(guard.state());
    const Verdict verdict = guard.sees(seen, now);
    RC_ASSERT(twin.sees(seen, now) == verdict);
    RC_ASSERT(twin.state() == guard.state());
    if (!idle) {
      proof.reset();
      RC_ASSERT(verdict == Verdict::Leave);
      RC_ASSERT(guard.warning({7}) == nullptr);
    } else if (!proof) {
      proof = now - passed;
    }
    if (verdict != Verdict::Stop) continue;
    RC_ASSERT(warned_at.has_value());
    RC_ASSERT(now - *warned_at >= kRules.grace);
    RC_ASSERT(now - *proof >= kRules.window + kRules.grace);
    guard.forget({7});
    proof.reset();
  }
}

}  // namespace
}  // namespace gyre::reason
