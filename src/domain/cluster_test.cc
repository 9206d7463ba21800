#include "domain/cluster.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "base/rng.h"
#include "domain/trial.h"

namespace gyre {
namespace {

NodeSpec node(std::int32_t gpus, std::string partition = "") {
  return {"n", std::move(partition), "A100", gpus, {}, {8000}, {8192}, false};
}

/// Every open node in exactly one class, with equal (sorted) free resources and ascending ids.
void check_index(Cluster& cluster) {
  std::set<NodeId> seen;
  for (std::uint32_t p = 0; p < cluster.partition_count(); ++p) {
    std::int64_t free_gpu = 0;
    std::set<std::pair<ShapeId, Capacity>> states;
    for (const std::uint32_t index : cluster.classes({p})) {
      const NodeClass& state = cluster.node_class(index);
      RC_ASSERT(!state.nodes.empty());
      RC_ASSERT(std::is_sorted(state.nodes.begin(), state.nodes.end()));
      RC_ASSERT(states.insert({state.shape, state.free}).second);
      for (const NodeId id : state.nodes) {
        RC_ASSERT(seen.insert(id).second);
        const Node& member = cluster.node(id);
        RC_ASSERT(member.open() && member.shape == state.shape);
        Capacity sorted = member.free;
        std::sort(sorted.gpu.begin(), sorted.gpu.begin() + member.spec.gpus);
        RC_ASSERT(sorted == state.free);
        for (const std::int16_t gpu : member.free.gpu) free_gpu += gpu;
      }
    }
    RC_ASSERT(cluster.free_gpu_milli({p}) == free_gpu);
  }
  const auto open = std::count_if(cluster.nodes().begin(), cluster.nodes().end(),
                                  [](const Node& n) { return n.open(); });
  RC_ASSERT(static_cast<std::int64_t>(seen.size()) == open);
}

RC_GTEST_PROP(Cluster, TheIndexFollowsEveryChangeAndATrialLeavesNoTrace, (std::uint64_t seed)) {
  Rng rng(seed);
  Cluster cluster;
  const auto count = static_cast<std::uint32_t>(1 + rng.below(5));
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto gpus = static_cast<std::int32_t>(1 + rng.below(4));
    RC_ASSERT(cluster.add({i}, node(gpus, rng.below(2) == 0 ? "p" : "")).has_value());
  }
  std::vector<std::pair<NodeId, Allocation>> held;
  for (int step = 0; step < 60; ++step) {
    const NodeId id{static_cast<std::uint32_t>(rng.below(count))};
    const std::uint64_t dice = rng.below(5);
    if (dice == 0) {
      const std::uint64_t which = rng.below(3);
      if (which == 0) cluster.set_up(id, !cluster.node(id).up);
      if (which == 1) cluster.set_duty(id, static_cast<NodeDuty>(rng.below(3)));
      if (which == 2) cluster.set_silent(id, !cluster.node(id).silent);
    } else if (dice == 1 && !held.empty()) {
      cluster.release(held.back().first, held.back().second);
      held.pop_back();
    } else {
      const auto milli = static_cast<std::int32_t>(1 + rng.below(1000));
      const Allocation part{1, {milli}, {static_cast<std::int64_t>(rng.below(900))}, {1}};
      const Capacity free = cluster.node(id).free;
      if (free.gpu[0] < milli || free.cpu < part.cpu) continue;
      if (dice == 2) {
        const PartitionId partition = cluster.shape(cluster.node(id).shape).partition;
        const std::uint64_t growth = cluster.growth(partition);
        {
          Trial trial(cluster, partition);
          trial.allocate(id, part);
          trial.release(id, part);
          trial.allocate(id, part);
        }
        RC_ASSERT(cluster.node(id).free == free);
        RC_ASSERT(cluster.growth(partition) == growth);
      } else {
        cluster.allocate(id, part);
        held.push_back({id, part});
      }
    }
    check_index(cluster);
  }
}

TEST(Cluster, EqualNodesAreOneClassUntilOneDiffers) {
  Cluster cluster;
  for (std::uint32_t i = 0; i < 1000; ++i) ASSERT_TRUE(cluster.add({i}, node(8)));
  EXPECT_EQ(cluster.classes({0}).size(), 1U);
  cluster.allocate({5}, {0b11, kWholeGpu, {}, {}});
  cluster.allocate({7}, {0b1010, kWholeGpu, {}, {}});
  EXPECT_EQ(cluster.classes({0}).size(), 2U);
  cluster.release({5}, {0b11, kWholeGpu, {}, {}});
  cluster.release({7}, {0b1010, kWholeGpu, {}, {}});
  EXPECT_EQ(cluster.classes({0}).size(), 1U);
}

TEST(Cluster, ATrialThatGivesOnWhatItTookUndoesNeither) {
  Cluster cluster;
  ASSERT_TRUE(cluster.add({0}, node(4)).has_value());
  const Allocation first{1, kWholeGpu, {}, {}};
  const Allocation second{2, kWholeGpu, {}, {}};
  cluster.allocate({0}, first);
  const Capacity before = cluster.node({0}).free;
  const std::uint64_t growth = cluster.growth({0});
  {
    Trial trial(cluster, {0});
    trial.allocate({0}, second);
    trial.release({0}, first);
    trial.allocate({0}, first);
    trial.release({0}, first);
  }
  EXPECT_EQ(cluster.node({0}).free, before);
  EXPECT_EQ(cluster.growth({0}), growth);
}

TEST(Cluster, TheLogNamesWhatChangedFromItsStartOn) {
  Cluster cluster;
  ASSERT_TRUE(cluster.add({0}, node(1)).has_value());
  EXPECT_EQ(cluster.log().end(), 0U);
  cluster.log_changes();
  const Allocation one{1, kWholeGpu, {}, {}};
  cluster.allocate({0}, one);
  ASSERT_TRUE(cluster.add({1}, node(1)).has_value());
  cluster.set_up({1}, false);
  cluster.release({0}, one);
  const auto changed = cluster.log().since(1);
  ASSERT_TRUE(changed.has_value());
  const std::vector<NodeId> wanted{{1}, {1}, {0}};
  EXPECT_TRUE(std::equal(changed->begin(), changed->end(), wanted.begin(), wanted.end()));
}

TEST(Cluster, KnowsWhereTheTasksOfAGroupAre) {
  Cluster cluster;
  for (std::uint32_t i = 0; i < 3; ++i) ASSERT_TRUE(cluster.add({i}, node(2)));
  const GroupId web = group_id("", "web");
  Allocation part{1, kWholeGpu, {}, {}};
  part.group = web;
  Allocation second = part;
  second.devices = 2;
  cluster.allocate({2}, part);
  cluster.allocate({0}, part);
  cluster.allocate({2}, second);
  cluster.allocate({1}, {1, kWholeGpu, {}, {}});
  ASSERT_EQ(cluster.group(web).size(), 2U);
  EXPECT_EQ(cluster.group(web)[0].node, NodeId{0});
  EXPECT_EQ(cluster.tasks_of(web, {2}), 2);
  EXPECT_EQ(cluster.tasks_of(web, {1}), 0);
  EXPECT_TRUE(cluster.group({}).empty()) << "what says nothing is in no group";
  EXPECT_TRUE(cluster.group(group_id("other", "web")).empty()) << "of another tenant";
  cluster.release({2}, part);
  cluster.set_up({2}, false);
  EXPECT_EQ(cluster.tasks_of(web, {2}), 1) << "until it is released";
  cluster.release({2}, second);
  cluster.release({0}, part);
  EXPECT_TRUE(cluster.group(web).empty());
}

TEST(Cluster, AnImpossibleNodeIsRefused) {
  Cluster cluster;
  EXPECT_EQ(cluster.add({0}, node(17)).error().kind, ErrorKind::Invalid);
  EXPECT_EQ(cluster.add({0}, node(-1)).error().kind, ErrorKind::Invalid);
  NodeSpec negative = node(1);
  negative.cpu = {-1};
  EXPECT_FALSE(cluster.add({0}, negative));
  EXPECT_TRUE(cluster.nodes().empty());
}

TEST(ClusterDeathTest, TakingWhatIsNotFreeEndsTheProcess) {
  Cluster cluster;
  ASSERT_TRUE(cluster.add({0}, node(1)));
  cluster.allocate({0}, {1, kWholeGpu, {}, {}});
  EXPECT_DEATH(cluster.allocate({0}, {1, {1}, {}, {}}), "does not hold");
  EXPECT_DEATH(cluster.release({0}, {1, {1001}, {}, {}}), "does not hold");
}

}  // namespace
}  // namespace gyre
