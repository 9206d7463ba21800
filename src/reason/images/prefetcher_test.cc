#include "reason/images/prefetcher.h"

#include <gtest/gtest.h>

namespace gyre::reason {
namespace {

const ImageId kOne = image_id("r.example/a");
const ImageId kTwo = image_id("r.example/b");
const ImageId kThree = image_id("r.example/c");

TEST(Prefetcher, AsksFewThingsOnceAndAgainMuchLater) {
  Prefetcher prefetcher;
  const ImageHolders nothing;
  Time now = Time{} + seconds(5);
  EXPECT_TRUE(prefetcher.ask({0}, kOne, nothing, now));
  EXPECT_FALSE(prefetcher.ask({0}, kOne, nothing, now));
  EXPECT_TRUE(prefetcher.ask({0}, kTwo, nothing, now + seconds(1)));
  EXPECT_FALSE(prefetcher.ask({0}, kThree, nothing, now + seconds(1))) << "two at a time";
  EXPECT_TRUE(prefetcher.ask({1}, kThree, nothing, now)) << "of each node";
  EXPECT_FALSE(prefetcher.ask({0}, {}, nothing, now)) << "a process of the node";
  now = now + Prefetcher::kAgainAfter;
  EXPECT_TRUE(prefetcher.ask({0}, kThree, nothing, now));
  EXPECT_FALSE(prefetcher.ask({0}, kTwo, nothing, now));
}

TEST(Prefetcher, WhatWasAskedLongAgoIsForgottenOnce) {
  Prefetcher prefetcher;
  const ImageHolders nothing;
  const Time now = Time{} + seconds(5);
  EXPECT_FALSE(prefetcher.forget_old(now));
  prefetcher.ask({0}, kOne, nothing, now);
  prefetcher.ask({1}, kTwo, nothing, now + seconds(1));
  Prefetcher restored;
  restored.restore(prefetcher.state());
  for (Prefetcher* one : {&prefetcher, &restored}) {
    const Time later = now + Prefetcher::kAgainAfter;
    EXPECT_FALSE(one->forget_old(later - seconds(1)));
    EXPECT_TRUE(one->forget_old(later));
    EXPECT_FALSE(one->forget_old(later));
    EXPECT_EQ(one->state().size(), 1U);
    EXPECT_TRUE(one->forget_old(later + seconds(1)));
    EXPECT_FALSE(one->forget_old(later + seconds(9'000)));
  }
}

TEST(Prefetcher, WhatIsThereIsNotAskedForAndMakesRoom) {
  Prefetcher prefetcher;
  ImageHolders holders;
  EXPECT_TRUE(prefetcher.ask({0}, kOne, holders, {}));
  EXPECT_TRUE(prefetcher.ask({0}, kTwo, holders, {}));
  holders.add({0}, {"r.example/a", ""});
  EXPECT_TRUE(prefetcher.seen({0}, holders));
  EXPECT_FALSE(prefetcher.seen({0}, holders));
  EXPECT_FALSE(prefetcher.ask({0}, kOne, holders, {}));
  EXPECT_TRUE(prefetcher.ask({0}, kThree, holders, {}));
  Prefetcher restored;
  restored.restore(prefetcher.state());
  EXPECT_EQ(restored.state(), prefetcher.state());
  EXPECT_FALSE(restored.ask({0}, kThree, holders, {}));
  prefetcher.forget({0});
  EXPECT_TRUE(prefetcher.state().empty());
}

}  // namespace
}  // namespace gyre::reason
