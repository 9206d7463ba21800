#include "server/trace/first_output.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace gyre::server {
namespace {

struct Spans final : observe::SpanSink {
  void take(std::vector<observe::Span> spans) override {
    for (observe::Span& span : spans) taken.push_back(std::move(span));
  }
  Counts counts() const override { return {}; }
  std::vector<observe::Span> taken;
};

struct FirstOutputTest : testing::Test {
  static act::TaskKey key(std::uint64_t job) { return {JobId{job}, 1, 0}; }
  Spans spans;
  FirstOutput first{spans};
  const TraceContext run{1, 2, 3, 1};
};

TEST_F(FirstOutputTest, IsToldOnceTheStartAndTheTimeAreKnownWhicheverComesFirst) {
  first.watch(key(1), run, Time{100});
  EXPECT_TRUE(spans.taken.empty());
  first.spoke(key(1), Duration{20});
  first.spoke(key(2), Duration{30});
  first.watch(key(2), run, Time{200});
  ASSERT_EQ(spans.taken.size(), 2U);
  EXPECT_EQ(spans.taken[0].name, "first output");
  EXPECT_EQ(spans.taken[0].parent, run.span);
  EXPECT_EQ(spans.taken[0].end, Time{120});
  EXPECT_EQ(spans.taken[1].begin, Time{200});
  EXPECT_EQ(spans.taken[1].end, Time{230});
  first.spoke(key(1), Duration{25});
  EXPECT_EQ(spans.taken.size(), 2U);
}

TEST_F(FirstOutputTest, WhatNobodyAsksForIsForgotten) {
  for (std::uint64_t job = 1; job <= FirstOutput::kEarlyMax + 1; ++job) {
    first.spoke(key(job), Duration{1});
  }
  first.watch(key(1), run, Time{100});
  EXPECT_TRUE(spans.taken.empty()) << "the oldest";
  first.watch(key(2), run, Time{100});
  EXPECT_EQ(spans.taken.size(), 1U);
  first.watch(key(5000), run, Time{100});
  first.ended(key(5000));
  first.spoke(key(5000), Duration{1});
  EXPECT_EQ(spans.taken.size(), 1U) << "it is over";
}

}  // namespace
}  // namespace gyre::server
