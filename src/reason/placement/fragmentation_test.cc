#include "reason/placement/fragmentation.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/rng.h"

namespace gyre::reason {
namespace {

TEST(Fragmentation, CountsWhatTheTypicalTaskCannotUse) {
  Cluster cluster;
  ASSERT_TRUE(cluster.add(NodeId{0}, {"n0", "", "V100", 2, {}, {4000}, {1}, false}));
  cluster.allocate(NodeId{0}, {1, GpuMilli{700}, {}, {}});  // leaves 300 and 1000
  const auto lost = [&](Request request) {
    return Fragmentation({{std::move(request), 3}}).measure(cluster).lost_milli;
  };
  Request share{1, GpuMilli{500}, {}, {}, {}, {}};
  EXPECT_EQ(lost(share), 300) << "the device too small for it";
  share.gpu_milli = GpuMilli{300};
  EXPECT_EQ(lost(share), 0);
  EXPECT_EQ(lost({2, kWholeGpu, {}, {}, {}, {}}), 1300) << "too few whole GPUs";
  EXPECT_EQ(lost({1, kWholeGpu, {}, {"T4"}, {}, {}}), 1300) << "another model";
  EXPECT_EQ(lost({1, kWholeGpu, {}, {}, {5000}, {}}), 1300) << "too little CPU";
  EXPECT_EQ(lost({0, kWholeGpu, {}, {}, {}, {}}), 1300) << "uses no GPU";
}

TEST(Fragmentation, IsTheMeanOverTheMix) {
  Cluster cluster;
  ASSERT_TRUE(cluster.add(NodeId{0}, {"n0", "", "V100", 2, {}, {}, {}, false}));
  ASSERT_TRUE(cluster.add(NodeId{1}, {"n1", "", "V100", 2, {}, {}, {}, false}));
  cluster.allocate(NodeId{1}, {1, kWholeGpu, {}, {}});
  Fragmentation fragmentation(
      {{{1, kWholeGpu, {}, {}, {}, {}}, 1}, {{2, kWholeGpu, {}, {}, {}, {}}, 3}});
  const auto sum = fragmentation.measure(cluster);
  EXPECT_EQ(sum.free_milli, 3000);
  EXPECT_DOUBLE_EQ(sum.lost_milli, 750) << "three quarters of tasks cannot use the lone GPU";
  EXPECT_DOUBLE_EQ(sum.ratio.value(), 0.25);
}

TEST(Fragmentation, IsUndefinedWhenNothingIsFree) {
  Cluster cluster;
  ASSERT_TRUE(cluster.add(NodeId{0}, {"n0", "", "V100", 1, {}, {}, {}, false}));
  Fragmentation fragmentation({{{1, kWholeGpu, {}, {}, {}, {}}, 1}});
  EXPECT_EQ(fragmentation.measure(cluster).ratio, 0);
  EXPECT_EQ(Fragmentation({}).measure(cluster).ratio, std::nullopt) << "no mix is known";
  cluster.allocate(NodeId{0}, {1, kWholeGpu, {}, {}});
  EXPECT_EQ(fragmentation.measure(cluster).ratio, std::nullopt);
}

RC_GTEST_PROP(Fragmentation, WhatIsRememberedIsWhatWouldBeMeasured, (std::uint64_t seed)) {
  Rng rng(seed);
  Cluster cluster;
  for (std::uint32_t i = 0; i < 4; ++i) {
    RC_ASSERT(cluster.add({i}, {"n", "", "V100", 2, {}, {8000}, {}, false}).has_value());
  }
  const std::vector<DemandKind> mix{{{1, {300}, {}, {}, {2000}, {}}, 2},
                                    {{2, kWholeGpu, {}, {}, {4000}, {}}, 1}};
  Fragmentation remembering(mix);
  for (int i = 0; i < 40; ++i) {
    const NodeId node{static_cast<std::uint32_t>(rng.below(4))};
    const auto device = static_cast<std::uint16_t>(1U << rng.below(2));
    const Allocation part{device, {100}, {100}, {}};
    if (cluster.node(node).free.gpu[device >> 1] >= 100) cluster.allocate(node, part);
    RC_ASSERT(remembering.measure(cluster).lost_milli ==
              Fragmentation(mix).measure(cluster).lost_milli);
  }
}

}  // namespace
}  // namespace gyre::reason
