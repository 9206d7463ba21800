#include "act/agent_protocol.h"

#include <gtest/gtest.h>

namespace gyre::act {
namespace {

TEST(AgentProtocol, WhatIsSaidLaterOfAGpuCountsAndTheRestStays) {
  GpusSeen first{{1}, {{}, {}}};
  first.gpus[0].facts.emplace().uuid = "GPU-a";
  first.gpus[0].sample.emplace().xids = 1;
  first.gpus[1].sample.emplace().xids = 2;
  GpusSeen second{{2}, {{}, {}, {}}};
  second.gpus[0].sample.emplace().xids = 3;
  const GpusSeen both = joined(first, second);
  EXPECT_EQ(both.said_at, Time{2});
  ASSERT_EQ(both.gpus.size(), 3U);
  EXPECT_EQ(both.gpus[0].facts, first.gpus[0].facts);
  EXPECT_EQ(both.gpus[0].sample->xids, 3);
  EXPECT_EQ(both.gpus[1].sample->xids, 2);
  EXPECT_EQ(both.gpus[2], GpuNews{});
}

}  // namespace
}  // namespace gyre::act
