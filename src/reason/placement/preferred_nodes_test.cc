// Nodes that are preferred among those that are equally good.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "base/assert.h"
#include "base/rng.h"
#include "reason/placement/placer.h"

namespace gyre::reason {
namespace {

/// Some nodes with room, alike or not.
Cluster some_cluster(Rng& rng) {
  Cluster cluster;
  const auto count = static_cast<std::uint32_t>(1 + rng.below(9));
  for (std::uint32_t i = 0; i < count; ++i) {
    GYRE_ASSERT(cluster.add({i}, {"n" + std::to_string(i), "", "A100", 4, {}, {16'000}, {65'536}}));
    if (rng.below(3) == 0) {
      Request held;
      held.gpus = static_cast<std::int32_t>(1 + rng.below(3));
      cluster.allocate({i}, cluster.pick({i}, held, 0));
    }
    if (rng.below(8) == 0) cluster.set_suspect({i}, true);
    if (rng.below(8) == 0) cluster.set_up({i}, false);
  }
  return cluster;
}

std::vector<NodeId> some_nodes(Rng& rng) {
  std::vector<NodeId> nodes;
  for (std::uint32_t i = 0; i < 12; ++i) {  // also such that have not joined
    if (rng.below(3) == 0) nodes.push_back({i});
  }
  return nodes;
}

Demand demand_of(const Cluster& cluster, std::int32_t tasks, std::int32_t gpus,
                 const std::optional<PlacementRules>& rules = {}) {
  JobSpec spec;
  spec.name = "a";
  spec.tasks = {{tasks, {}}};
  spec.tasks[0].request.gpus = gpus;
  spec.placement = rules;
  return DemandTable::make({0}, spec, cluster);
}

std::multiset<std::uint32_t> states_of(const Cluster& cluster,
                                       const std::vector<TaskPlacement>& placement) {
  std::multiset<std::uint32_t> states;
  for (const TaskPlacement& task : placement) states.insert(cluster.node(task.node).class_index);
  return states;
}

std::int64_t count_in(const std::vector<NodeId>& nodes, const Cluster& cluster,
                      std::uint32_t state) {
  return std::count_if(nodes.begin(), nodes.end(), [&](NodeId node) {
    return node.value < cluster.nodes().size() && cluster.node(node).open() &&
           cluster.node(node).class_index == state;
  });
}

RC_GTEST_PROP(PreferredNodes, AreTakenFirstWithinTheStatesThatWouldBeTakenAnyway,
              (std::uint64_t seed)) {
  Rng rng(seed);
  const Cluster cluster = some_cluster(rng);
  const std::vector<NodeId> preferred = some_nodes(rng);
  const auto tasks = static_cast<std::int32_t>(1 + rng.below(3));
  const auto gpus = static_cast<std::int32_t>(1 + rng.below(4));
  std::optional<PlacementRules> rules;
  if (rng.below(3) == 0) {
    rules.emplace();
    rules->max_per_node = 1;
  }
  const Demand demand = demand_of(cluster, tasks, gpus, rules);
  Placer placer;  // best fit: states of one shape never have equal scores
  std::int64_t work = 0;
  const auto plain = placer.find(cluster, demand, 1, work);
  const auto found = placer.find(cluster, demand, {1, preferred}, work);
  RC_ASSERT(plain.has_value() == found.has_value());
  if (!plain) return;
  const auto states = states_of(cluster, *found);
  RC_ASSERT(states == states_of(cluster, *plain));
  std::set<NodeId> taken;
  for (const TaskPlacement& task : *found) RC_ASSERT(taken.insert(task.node).second);
  for (const std::uint32_t state : std::set<std::uint32_t>(states.begin(), states.end())) {
    const auto there = count_in(preferred, cluster, state);
    const auto wanted = static_cast<std::int64_t>(states.count(state));
    const std::vector<NodeId> all(taken.begin(), taken.end());
    std::vector<NodeId> both;
    std::set_intersection(all.begin(), all.end(), preferred.begin(), preferred.end(),
                          std::back_inserter(both));
    RC_ASSERT(count_in(both, cluster, state) == std::min(there, wanted));
  }
}

TEST(PreferredNodes, AmongStatesWithEqualScoresDecide) {
  Cluster cluster;
  for (std::uint32_t i = 0; i < 4; ++i) {
    // Two kinds of GPUs: two states that best fit scores alike.
    GYRE_ASSERT(cluster.add({i}, {"n", "", i < 2 ? "A100" : "H100", 4, {}, {16'000}, {65'536}}));
  }
  Placer placer;
  std::int64_t work = 0;
  const std::vector<NodeId> preferred{{3}};
  for (const std::int32_t tasks : {1, 2}) {
    const auto found = placer.find(cluster, demand_of(cluster, tasks, 1), {1, preferred}, work);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->front().node, NodeId{3});
  }
}

TEST(PreferredNodes, CostAsMuchAsThereAreOfThem) {
  Cluster cluster;
  for (std::uint32_t i = 0; i < 1'000; ++i) {
    GYRE_ASSERT(cluster.add({i}, {"n", "", "A100", 4, {}, {16'000}, {65'536}}));
  }
  const Demand demand = demand_of(cluster, 1, 1);
  Placer placer;
  std::int64_t without = 0;
  ASSERT_TRUE(placer.find(cluster, demand, 1, without));
  std::int64_t with = 0;
  const std::vector<NodeId> preferred{{7}, {9}};
  const auto found = placer.find(cluster, demand, {1, preferred}, with);
  EXPECT_EQ(found->front().node, NodeId{7});
  EXPECT_EQ(with, without + 2);
}

TEST(PreferredNodes, AreOnesThatHoldTheJobsImage) {
  JobTable jobs;
  Job job;
  job.id = {1};
  JobSpec spec;
  spec.launch.container.image = "r.example/t";
  job.spec = std::move(spec);
  jobs.add(Job(job));
  job.id = {2};
  job.spec = JobSpec{};
  jobs.add(Job(job));
  ImageHolders images;
  images.add({4}, {"r.example/t:latest", ""});
  EXPECT_EQ(asker({1}, jobs, images).preferred.size(), 1U);
  EXPECT_TRUE(asker({2}, jobs, images).preferred.empty());
  EXPECT_TRUE(asker({1}, jobs, {}).preferred.empty());
}

}  // namespace
}  // namespace gyre::reason
