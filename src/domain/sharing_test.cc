#include "domain/sharing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "domain/cluster.h"
#include "domain/mig.h"

namespace gyre {
namespace {

using testing::HasSubstr;

Shape node(Sharing sharing) {
  Shape shape;
  shape.gpu_model = "H100";
  shape.gpus = 2;
  shape.gpu_memory = MemoryMib{81'920};
  shape.gpu_sharing = sharing;
  return shape;
}

Request asks(std::int32_t milli, Sharing sharing = Sharing::Auto, std::int32_t gpus = 1) {
  Request request;
  request.gpus = gpus;
  request.gpu_milli = GpuMilli{milli};
  request.sharing = sharing;
  return request;
}

TEST(Sharing, AFractionGoesWhereItIsHeldAsAsked) {
  EXPECT_TRUE(can_share(node(Sharing::Mps), asks(500)));
  EXPECT_TRUE(can_share(node(Sharing::Mps), asks(500, Sharing::Mps)));
  EXPECT_FALSE(can_share(node(Sharing::Mps), asks(500, Sharing::Timeslice)));
  EXPECT_FALSE(can_share(node(Sharing::Timeslice), asks(500, Sharing::Mps)));
  EXPECT_TRUE(can_share(node(Sharing::Timeslice), asks(500)));
  EXPECT_FALSE(can_share(node(Sharing::Exclusive), asks(500)));
  EXPECT_TRUE(can_share(node(Sharing::Exclusive), asks(1000)));
}

TEST(Sharing, MigGivesItsProfilesAndNothingElse) {
  EXPECT_TRUE(can_share(node(Sharing::Mig), asks(430)));
  EXPECT_TRUE(can_share(node(Sharing::Mig), asks(1000)));
  EXPECT_TRUE(can_share(node(Sharing::Mig), asks(1000, Sharing::Exclusive)));
  EXPECT_FALSE(can_share(node(Sharing::Mig), asks(500)));
  EXPECT_FALSE(can_share(node(Sharing::Mig), asks(430, Sharing::Mps)));
  EXPECT_FALSE(can_share(node(Sharing::Mig), asks(1000, Sharing::Auto, 2)));
  EXPECT_THAT(why_not_shared(node(Sharing::Mig), asks(500)), HasSubstr("0.43 (3g.40gb)"));
}

TEST(Sharing, SaysWhy) {
  EXPECT_EQ(why_not_shared(node(Sharing::Timeslice), asks(500, Sharing::Mps)),
            "its GPUs share by timeslice, not by mps");
  EXPECT_THAT(why_not_shared(node(Sharing::Mig), asks(1000, Sharing::Auto, 2)),
              HasSubstr("one instance"));
}

TEST(Sharing, AutoIsResolved) {
  EXPECT_EQ(given_sharing(Sharing::Mps, asks(500)), Sharing::Mps);
  EXPECT_EQ(given_sharing(Sharing::Mps, asks(1000)), Sharing::Exclusive);
  EXPECT_EQ(given_sharing(Sharing::Mig, asks(1000)), Sharing::Mig);
  EXPECT_EQ(given_sharing(Sharing::Timeslice, asks(1)), Sharing::Timeslice);
}

TEST(Mig, KnowsAModelByItsMemory) {
  EXPECT_EQ(mig_profile("A100", {40'960}, {430})->name, "3g.20gb");
  EXPECT_EQ(mig_profile("A100", {81'920}, {430})->name, "3g.40gb");
  EXPECT_EQ(mig_profile("A30", {24'576}, {500})->name, "2g.12gb");
  EXPECT_TRUE(mig_profiles("T4", {16'384}).empty());
  EXPECT_TRUE(mig_profiles("H100", {0}).empty());
}

/// Whether the device's slices hold so many of each profile.
bool slices_hold(std::span<const MigProfile> profiles, const std::array<int, 5>& counts,
                 int compute_max, int memory_max) {
  int compute = 0;
  int memory = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    compute += counts[i] * profiles[i].compute;
    memory += counts[i] * profiles[i].memory;
    if (counts[i] > profiles[i].instances_max) return false;
  }
  return compute <= compute_max && memory <= memory_max;
}

TEST(Mig, SharesThatFitInSumFitInSlices) {
  const auto profiles = mig_profiles("H100", {81'920});
  ASSERT_EQ(profiles.size(), 6U);
  int fitting = 0;
  std::array<int, 5> n{};
  for (n[0] = 0; n[0] <= 8; ++n[0])
    for (n[1] = 0; n[1] <= 5; ++n[1])
      for (n[2] = 0; n[2] <= 4; ++n[2])
        for (n[3] = 0; n[3] <= 3; ++n[3])
          for (n[4] = 0; n[4] <= 2; ++n[4]) {
            int sum = 0;
            for (std::size_t i = 0; i < n.size(); ++i) sum += n[i] * profiles[i].share.value;
            if (sum > 1000) continue;
            ++fitting;
            EXPECT_TRUE(slices_hold(profiles, n, 7, 8))
                << n[0] << ' ' << n[1] << ' ' << n[2] << ' ' << n[3] << ' ' << n[4];
          }
  EXPECT_GT(fitting, 20);
}

}  // namespace
}  // namespace gyre
