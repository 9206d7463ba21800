#include "reason/placement/placement.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/rng.h"
#include "reason/placement/best_fit.h"

namespace gyre::reason {
namespace {

/// Tries every assignment of tasks to different nodes.
bool possible(const Cluster& cluster, const std::vector<Request>& tasks, std::vector<bool>& used,
              std::size_t task) {
  if (task == tasks.size()) return true;
  for (std::uint32_t n = 0; n < cluster.nodes().size(); ++n) {
    const Node& node = cluster.node({n});
    if (used[n] || !node.up) continue;
    Capacity sorted = node.free;
    std::sort(sorted.gpu.begin(), sorted.gpu.begin() + node.spec.gpus);
    const Shape& shape = cluster.shape(node.shape);
    if (!could_run(shape, tasks[task]) || !has_room(shape, sorted, tasks[task])) continue;
    used[n] = true;
    const bool rest = possible(cluster, tasks, used, task + 1);
    used[n] = false;
    if (rest) return true;
  }
  return false;
}

Request random_request(Rng& rng) {
  Request request;
  request.gpus = static_cast<std::int32_t>(rng.below(4));
  if (request.gpus == 1 && rng.below(2) == 0) {
    request.gpu_milli = {100 * static_cast<std::int32_t>(1 + rng.below(9))};
  }
  request.cpu = {static_cast<std::int64_t>(1000 * rng.below(4))};
  if (rng.below(3) == 0) request.gpu_models = {rng.below(2) == 0 ? "A100" : "T4"};
  return request;
}

Cluster random_cluster(Rng& rng) {
  Cluster cluster;
  const auto count = static_cast<std::uint32_t>(1 + rng.below(6));
  for (std::uint32_t i = 0; i < count; ++i) {
    NodeSpec spec;
    spec.gpu_model = rng.below(2) == 0 ? "A100" : "T4";
    spec.gpus = static_cast<std::int32_t>(rng.below(4));
    spec.cpu = {4000};
    EXPECT_TRUE(cluster.add({i}, spec));
    for (std::int32_t d = 0; d < spec.gpus; ++d) {
      const GpuMilli used{100 * static_cast<std::int32_t>(rng.below(11))};
      if (rng.below(2) == 0)
        cluster.allocate({i}, {static_cast<std::uint16_t>(1U << d), used, {}, {}});
    }
    const CpuMilli cpu_used{static_cast<std::int64_t>(1000 * rng.below(4))};
    cluster.allocate({i}, {0, {}, cpu_used, {}});
    if (rng.below(8) == 0) cluster.set_up({i}, false);
  }
  return cluster;
}

RC_GTEST_PROP(FindPlacement, FindsAPlacementExactlyWhenThereIsOne, (std::uint64_t seed)) {
  Rng rng(seed);
  Cluster cluster = random_cluster(rng);
  std::vector<TaskGroup> groups;
  std::vector<Request> tasks;
  const std::uint64_t kinds = 1 + rng.below(3);
  for (std::uint64_t g = 0; g < kinds; ++g) {
    const auto count = static_cast<std::int32_t>(1 + rng.below(2));
    groups.push_back({count, random_request(rng)});
    tasks.insert(tasks.end(), static_cast<std::size_t>(count), groups.back().request);
  }
  std::int64_t work = 0;
  const Demand demand = DemandTable::make({0}, groups, cluster);
  const auto placement = find_placement(cluster, demand, BestFit{}, work);
  std::vector<bool> used(cluster.nodes().size());
  RC_ASSERT(placement.has_value() == possible(cluster, tasks, used, 0));
  if (!placement) return;
  RC_ASSERT(placement->size() == tasks.size());
  std::set<NodeId> nodes;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const TaskPlacement& task = (*placement)[i];
    RC_ASSERT(task.rank == static_cast<std::int32_t>(i));
    RC_ASSERT(nodes.insert(task.node).second);
    RC_ASSERT(could_run(cluster.shape(cluster.node(task.node).shape), tasks[i]));
    cluster.allocate(task.node, task.allocation);  // ends the process if it is not free
  }
}

TEST(BestFit, AFractionGoesWhereItFillsADevice) {
  Cluster cluster;
  for (std::uint32_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(cluster.add({i}, {"n", "", "A100", 2, {}, {}, {}, false}));
  }
  cluster.allocate({1}, {0b01, {300}, {}, {}});
  cluster.allocate({2}, {0b10, {500}, {}, {}});
  Request half;
  half.gpus = 1;
  half.gpu_milli = {500};
  std::int64_t work = 0;
  const Demand demand = DemandTable::make({0}, {{1, half}}, cluster);
  const auto placement = find_placement(cluster, demand, BestFit{}, work);
  ASSERT_TRUE(placement);
  EXPECT_EQ(placement->front().node, NodeId{2});
  EXPECT_EQ(placement->front().allocation.devices, 0b10);
  EXPECT_EQ(work, 3);
}

}  // namespace
}  // namespace gyre::reason
