// What each placement prefers, on fleets small enough to see why.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "reason/placement/placer.h"

namespace gyre::reason {
namespace {

using Placement = PolicySpec::Placement;

Request whole(std::int32_t gpus, std::int64_t cpu = 0) {
  return {gpus, kWholeGpu, {}, {}, {cpu}, {}};
}
Request part(std::int32_t milli, std::int64_t cpu = 0) { return {1, {milli}, {}, {}, {cpu}, {}}; }

class Policies : public ::testing::Test {
 protected:
  NodeId add(std::int32_t gpus, std::int64_t cpu = 128'000, const std::string& model = "A100") {
    const NodeId id{static_cast<std::uint32_t>(cluster_.nodes().size())};
    EXPECT_TRUE(cluster_.add(id, {"n", "", model, gpus, {}, {cpu}, {}, false}));
    return id;
  }
  /// Puts `request` on the node, its fraction on a device with `device_free` left.
  void put(NodeId node, const Request& request, std::int16_t device_free = 1000) {
    cluster_.allocate(node, cluster_.pick(node, request, device_free));
  }
  TaskPlacement choice(Placement placement, const Request& request, std::uint64_t draw = 1) {
    cluster_.tell_residents_apart(placement == Placement::GpuClustering);
    Placer placer;
    placer.use(placement);
    placer.learn(mix_);
    std::int64_t work = 0;
    const auto found = placer.find(
        cluster_, DemandTable::make({0}, std::vector<TaskGroup>{{1, request}}, cluster_), draw,
        work);
    EXPECT_TRUE(found);
    return found ? found->front() : TaskPlacement{};
  }
  std::uint32_t node(Placement placement, const Request& request) {
    return choice(placement, request).node.value;
  }

  Cluster cluster_;
  std::vector<DemandKind> mix_;
};

TEST_F(Policies, RandomDrawsEveryNodeAndDeviceAboutEqually) {
  for (int i = 0; i < 4; ++i) add(2);
  put({0}, part(100));
  std::map<std::uint32_t, int> nodes;
  std::set<std::uint16_t> devices;
  for (std::uint64_t draw = 1; draw <= 400; ++draw) {
    const TaskPlacement task = choice(Placement::Random, part(500), draw);
    ++nodes[task.node.value];
    if (task.node == NodeId{0}) devices.insert(task.allocation.devices);
  }
  ASSERT_EQ(nodes.size(), 4U);
  for (const auto& [id, count] : nodes) EXPECT_NEAR(count, 100, 40) << id;
  EXPECT_EQ(devices.size(), 2U);
  EXPECT_EQ(choice(Placement::Random, part(500), 7), choice(Placement::Random, part(500), 7));
}

TEST_F(Policies, DotProductAvoidsWhatHasMuchOfWhatIsAsked) {
  add(8, 128'000);
  add(8, 32'000);
  EXPECT_EQ(node(Placement::DotProduct, whole(1, 16'000)), 1U);
  put({0}, whole(7));
  EXPECT_EQ(node(Placement::DotProduct, whole(1)), 0U) << "the fewest GPUs, where CPU is not asked";
}

TEST_F(Policies, WeightedBestFitWeighsAGpuAsSixteenCpus) {
  add(8, 128'000);
  add(8, 64'000);
  put({0}, whole(3));
  EXPECT_EQ(node(Placement::WeightedBestFit, whole(1)), 1U) << "4 + 8 is less than 8 + 5";
  EXPECT_EQ(node(Placement::BestFit, whole(1)), 0U) << "the fewest GPUs, whatever the CPU";
  put({0}, whole(2));
  EXPECT_EQ(node(Placement::WeightedBestFit, whole(1)), 0U);
}

TEST_F(Policies, GpuPackingOpensTheFewestDevices) {
  add(8);
  add(2);
  add(8);
  EXPECT_EQ(node(Placement::GpuPacking, part(300)), 1U) << "of idle nodes the smallest";
  put({2}, whole(1));
  EXPECT_EQ(node(Placement::GpuPacking, part(300)), 2U) << "a node in use before an idle one";
  put({0}, part(600));
  EXPECT_EQ(node(Placement::GpuPacking, part(300)), 0U) << "a shared device before a free one";
  EXPECT_EQ(choice(Placement::GpuPacking, part(300)).allocation.devices, 1);
}

TEST_F(Policies, GpuClusteringKeepsSizesTogether) {
  add(8);
  add(8);
  add(8);
  put({0}, whole(4));
  put({1}, part(500));
  EXPECT_EQ(node(Placement::GpuClustering, part(500)), 1U);
  EXPECT_EQ(node(Placement::GpuClustering, whole(3)), 0U) << "three count as four";
  EXPECT_EQ(node(Placement::GpuClustering, whole(2)), 2U) << "an idle node before other sizes";
  put({2}, whole(8));
  EXPECT_EQ(node(Placement::GpuClustering, whole(2)), 0U) << "then the fullest";
}

TEST_F(Policies, FgdKeepsWhatTypicalTasksCanUse) {
  add(2);
  add(2);
  put({1}, part(600));
  mix_ = {{whole(2), 10}};
  EXPECT_EQ(node(Placement::Fgd, part(400)), 1U) << "node 0 can still hold a task of two GPUs";
  mix_ = {{whole(1, 100'000), 10}};
  put({1}, {0, kWholeGpu, {}, {}, {100'000}, {}});
  EXPECT_EQ(node(Placement::Fgd, whole(1)), 1U) << "for lack of CPU its GPU is lost already";
}

TEST_F(Policies, LookaheadLeavesRestsThatCombinationsFill) {
  add(1);
  add(1);
  put({0}, part(400));  // leaves 600
  put({1}, part(300));  // leaves 700
  mix_ = {{part(300), 1}};
  EXPECT_EQ(node(Placement::Lookahead, part(100)), 1U)
      << "600 is two of 300; FGD sees no difference between a rest of 500 and one of 600";
  EXPECT_EQ(node(Placement::Fgd, part(100)), 0U);
}

TEST_F(Policies, LookaheadKeepsCpuForGpus) {
  add(2, 16'000);
  add(2, 64'000);
  mix_ = {{whole(1, 8'000), 1}};
  EXPECT_EQ(node(Placement::Lookahead, {0, kWholeGpu, {}, {}, {12'000}, {}}), 1U);
}

TEST_F(Policies, LookaheadKeepsScarceModelsForThoseWhoNeedThem) {
  add(8, 128'000, "T4");
  for (int i = 0; i < 3; ++i) add(8);
  Request constrained = whole(1);
  constrained.gpu_models = {"T4"};
  mix_ = {{constrained, 1}, {whole(1), 2}};
  EXPECT_EQ(node(Placement::Lookahead, whole(1)), 1U);
  EXPECT_EQ(node(Placement::Lookahead, constrained), 0U);
}

TEST_F(Policies, LookaheadChoosesAsBestFitBeforeItKnowsDemand) {
  add(8);
  add(4);
  add(2);
  EXPECT_EQ(node(Placement::Lookahead, whole(2)), 2U);
  EXPECT_EQ(node(Placement::Lookahead, whole(3)), 1U);
}

}  // namespace
}  // namespace gyre::reason
