// A gang of many tasks is placed as its tasks one by one would be.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/rng.h"
#include "reason/placement/placer.h"

namespace gyre::reason {
namespace {

/// Nodes in many states and domains, with tasks of groups on some.
Cluster some_cluster(Rng& rng) {
  Cluster cluster;
  const auto count = static_cast<std::uint32_t>(4 + rng.below(20));
  for (std::uint32_t i = 0; i < count; ++i) {
    NodeSpec spec{"n" + std::to_string(i), "", "A100", 8, {}, {16'000}, {65'536}};
    spec.location.zone = std::string(1, static_cast<char>('a' + rng.below(2)));
    spec.location.rack = std::string(1, static_cast<char>('a' + rng.below(3)));
    GYRE_ASSERT(cluster.add({i}, spec));
    if (rng.below(8) == 0) cluster.set_suspect({i}, true);
    for (std::uint64_t held = rng.below(3); held > 0; --held) {
      Request request;
      request.gpus = static_cast<std::int32_t>(1 + rng.below(2));
      Allocation part = cluster.pick({i}, request, 0);
      part.group =
          rng.below(2) == 0 ? GroupId{} : group_id(JobSpec().tenant, rng.below(2) == 0 ? "a" : "b");
      cluster.allocate({i}, part);
    }
  }
  return cluster;
}

std::optional<PlacementRules> some_rules(Rng& rng) {
  if (rng.below(4) == 0) return std::nullopt;
  PlacementRules rules;
  rules.group = "a";
  rules.max_per_node = static_cast<std::int32_t>(rng.below(3));
  rules.balance = static_cast<Balance>(rng.below(3));
  rules.level = static_cast<TopologyLevel>(rng.below(kTopologyLevels + 1));
  if (rng.below(3) == 0) rules.apart = "b";
  if (rules.apart.empty() && rng.below(2) == 0) rules.near = "b";
  return rules;
}

std::vector<NodeId> some_nodes(Rng& rng) {
  std::vector<NodeId> nodes;
  for (std::uint32_t i = 0; i < 24; ++i) {
    if (rng.below(3) == 0) nodes.push_back({i});
  }
  return nodes;
}

RC_GTEST_PROP(GangOrder, IsThatOfItsTasksOneByOne, (std::uint64_t seed)) {
  Rng rng(seed);
  Cluster cluster = some_cluster(rng);
  JobSpec spec;
  spec.placement = some_rules(rng);
  spec.tasks = {{static_cast<std::int32_t>(1 + rng.below(16)), {}}};
  spec.tasks[0].request.gpus = static_cast<std::int32_t>(1 + rng.below(4));
  const Demand gang = DemandTable::make({0}, spec, cluster);
  spec.tasks[0].count = 1;
  const Demand one = DemandTable::make({0}, spec, cluster);
  std::vector<NodeId> preferred;
  if (rng.below(2) == 0) preferred = some_nodes(rng);
  Placer placer;
  placer.use(rng.below(2) == 0 ? PolicySpec::Placement::BestFit : PolicySpec::Placement::Random);
  const Asker who{rng.below(100), preferred};
  std::int64_t work = 0;
  const auto placement = placer.find(cluster, gang, who, work);
  std::vector<NodeId> wanted;
  while (std::ssize(wanted) < gang.groups[0].count) {
    const auto next = placer.find(cluster, one, who, work);
    if (!next) break;
    wanted.push_back(next->front().node);
    Allocation part;
    part.group = one.affinity ? one.affinity->group : GroupId{};
    cluster.allocate(wanted.back(), part);
    cluster.set_up(wanted.back(), false);  // each task has a node of its own
  }
  RC_TAG(std::ssize(wanted) > 3);
  RC_ASSERT(placement.has_value() == (std::ssize(wanted) == gang.groups[0].count));
  if (!placement) return;
  std::vector<NodeId> nodes;
  for (const TaskPlacement& task : *placement) nodes.push_back(task.node);
  RC_ASSERT(nodes == wanted);
}

}  // namespace
}  // namespace gyre::reason
