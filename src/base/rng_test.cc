#include "base/rng.h"

#include <gtest/gtest.h>

#include <array>

namespace gyre {
namespace {

TEST(RngDeterminism, TheSameSeedGivesTheseNumbersEverywhere) {
  // splitmix64(0) and xoshiro256** from the authors' reference code.
  Rng rng(0);
  EXPECT_EQ(rng.state()[0], 0xe220a8397b1dcdafULL);
  EXPECT_EQ(rng.state()[1], 0x6e789e6aa1b965f4ULL);
  EXPECT_EQ(rng.next(), 0x99ec5f36cb75f2b4ULL);
  EXPECT_EQ(rng.next(), 0xbf6e1f784956452aULL);
}

TEST(Rng, StreamsDoNotShiftEachOther) {
  const Rng root(7);
  Rng a = root.stream("faults");
  Rng b = root.stream("backfill");
  Rng again = root.stream("faults");
  EXPECT_NE(a.next(), b.next());
  again.next();
  EXPECT_EQ(a.next(), again.next());
}

TEST(Rng, BelowIsUniform) {
  Rng rng(42);
  std::array<int, 6> counts{};
  for (int i = 0; i < 60'000; ++i) ++counts[rng.below(6)];
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 400);
}

TEST(Rng, ExponentialHasItsMean) {
  Rng rng(1);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) sum += rng.exponential(5);
  EXPECT_NEAR(sum / 100'000, 5, 0.1);
}

}  // namespace
}  // namespace gyre
