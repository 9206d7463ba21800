#include "reason/placement/placement.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <set>

#include "base/rng.h"
#include "reason/placement/placer.h"
#include "reason/placement/search.h"
#include "reason/placement/thought.h"

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

/// By the names alone: a node whose own is unknown is with nobody.
bool in_one_domain(const Cluster& cluster, TopologyLevel level, NodeId a, NodeId b) {
  const Location& one = cluster.node(a).spec.location;
  const Location& other = cluster.node(b).spec.location;
  if (a == b) return true;
  if (one.at(level).empty()) return false;
  bool same = true;
  for (std::size_t i = 0; i <= static_cast<std::size_t>(level); ++i) {
    const auto wider = static_cast<TopologyLevel>(i);
    same = same && one.at(wider) == other.at(wider);
  }
  return same;
}

/// The same, with all tasks in one domain of the level.
bool possible_within(const Cluster& cluster, const std::vector<Request>& tasks,
                     TopologyLevel level) {
  for (std::uint32_t home = 0; home < cluster.nodes().size(); ++home) {
    std::vector<bool> used(cluster.nodes().size());
    for (std::uint32_t n = 0; n < used.size(); ++n) {
      used[n] = !in_one_domain(cluster, level, {home}, {n});
    }
    if (possible(cluster, tasks, used, 0)) return true;
  }
  return false;
}

Location random_location(Rng& rng) {
  const auto name = [&](std::uint64_t names) {
    const std::uint64_t which = rng.below(names + 1);
    return which == names ? std::string() : std::string(1, static_cast<char>('a' + which));
  };
  Location location;
  location.zone = name(2);
  location.rack = name(2);
  location.nvlink = name(2);
  return location;
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

std::vector<TaskGroup> one_task(const Request& request) { return {{1, request}}; }

std::vector<DemandKind> random_mix(Rng& rng) {
  DemandMix mix;
  const std::uint64_t kinds = rng.below(6);
  for (std::uint64_t i = 0; i < kinds; ++i) {
    const auto count = static_cast<std::int32_t>(1 + rng.below(40));
    learn(mix, {{count, random_request(rng)}});
  }
  return mix.seen;
}

Cluster random_cluster(Rng& rng) {
  Cluster cluster;
  const auto count = static_cast<std::uint32_t>(1 + rng.below(6));
  for (std::uint32_t i = 0; i < count; ++i) {
    NodeSpec spec;
    spec.gpu_model = rng.below(2) == 0 ? "A100" : "T4";
    spec.gpus = static_cast<std::int32_t>(rng.below(4));
    spec.cpu = {4000};
    spec.location = random_location(rng);
    EXPECT_TRUE(cluster.add({i}, spec));
    for (std::int32_t d = 0; d < spec.gpus; ++d) {
      const GpuMilli used{100 * static_cast<std::int32_t>(rng.below(11))};
      if (rng.below(2) == 0)
        cluster.allocate({i}, {static_cast<std::uint16_t>(1U << d), used, {}, {}});
    }
    for (const char* name : {"a", "b"}) {
      if (rng.below(3) == 0) {
        cluster.allocate({i}, {0, {}, {}, {}, Sharing::Exclusive, group_id("", name)});
      }
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
  Placer placer;
  const auto& policies = placement_names();
  placer.use(policies[rng.below(policies.size())].placement);
  placer.learn(random_mix(rng));
  const auto placement = placer.find(cluster, demand, 1 + rng.below(9), work);
  std::vector<bool> used(cluster.nodes().size());
  RC_ASSERT(placement.has_value() == possible(cluster, tasks, used, 0));
  RC_ASSERT(placement.has_value() == fits(cluster, demand, work));
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

/// Of a job in group a, whose others may be in group b.
PlacementRules random_rules(Rng& rng) {
  PlacementRules rules;
  rules.group = "a";
  rules.max_per_node = static_cast<std::int32_t>(rng.below(3));
  rules.balance = static_cast<Balance>(rng.below(3));
  rules.level = static_cast<TopologyLevel>(rng.below(kTopologyLevels + 1));
  (rng.below(2) == 0 ? rules.near : rules.apart) = "b";
  return rules;
}

bool forbidden(const Cluster& cluster, const PlacementRules& rules, NodeId node) {
  return (rules.max_per_node > 0 &&
          cluster.tasks_of(group_id("", "a"), node) >= rules.max_per_node) ||
         (!rules.apart.empty() && cluster.tasks_of(group_id("", "b"), node) > 0);
}

RC_GTEST_PROP(FindPlacement, KeepsToItsRulesExactlyWhenItCan, (std::uint64_t seed)) {
  Rng rng(seed);
  Cluster cluster = random_cluster(rng);
  JobSpec spec;
  std::vector<Request> tasks;
  for (std::uint64_t g = 1 + rng.below(2); g > 0; --g) {
    const auto count = static_cast<std::int32_t>(1 + rng.below(2));
    spec.tasks.push_back({count, random_request(rng)});
    tasks.insert(tasks.end(), static_cast<std::size_t>(count), spec.tasks.back().request);
  }
  spec.placement = random_rules(rng);
  Placer placer;
  const auto& policies = placement_names();
  placer.use(policies[rng.below(policies.size())].placement);
  std::int64_t work = 0;
  const Demand demand = DemandTable::make({0}, spec, cluster);
  const auto placement = placer.find(cluster, demand, 1 + rng.below(9), work);
  std::vector<bool> used(cluster.nodes().size());
  for (std::uint32_t n = 0; n < used.size(); ++n) {
    used[n] = forbidden(cluster, *spec.placement, {n});
    RC_ASSERT(may_take(cluster, demand, {n}) == !used[n]);
  }
  RC_ASSERT(placement.has_value() == possible(cluster, tasks, used, 0));
  RC_ASSERT(placement.has_value() == fits(cluster, demand, work));
  if (!placement) return;
  RC_ASSERT(placement->size() == tasks.size());
  std::set<NodeId> nodes;
  for (const TaskPlacement& task : *placement) {
    RC_ASSERT(nodes.insert(task.node).second);
    RC_ASSERT(!used[task.node.value]);
    RC_ASSERT(task.allocation.group == group_id("", "a"));
    cluster.allocate(task.node, task.allocation);  // ends the process if it is not free
  }
}

/// Six nodes of four GPUs in racks a, a, b, b, c, c, of which each starts what is asked of it.
class RulesTest : public ::testing::Test {
 protected:
  RulesTest() {
    for (std::uint32_t i = 0; i < 6; ++i) {
      NodeSpec node{"n", "", "A100", 4, {}, {}, {}, false};
      node.location.rack = std::string(1, static_cast<char>('a' + i / 2));
      EXPECT_TRUE(cluster_.add({i}, node));
    }
  }

  /// The nodes that so many tasks of one GPU start on.
  std::vector<std::uint32_t> start(std::string_view rules, std::int32_t tasks = 1) {
    JobSpec spec;
    spec.name = "a";
    spec.tasks = {{tasks, {.gpus = 1, .gpu_models = {}}}};
    if (!rules.empty()) spec.placement = parse_placement_rules(rules).value();
    std::int64_t work = 0;
    const Demand demand = DemandTable::make({0}, spec, cluster_);
    std::vector<std::uint32_t> nodes;
    const auto placement = Placer().find(cluster_, demand, 1, work);
    if (!placement) return nodes;
    for (const TaskPlacement& task : *placement) {
      cluster_.allocate(task.node, task.allocation);
      nodes.push_back(task.node.value);
    }
    return nodes;
  }

  using Nodes = std::vector<std::uint32_t>;
  Cluster cluster_;
};

TEST_F(RulesTest, SpreadTakesTheNodesWithFewestOfTheGroup) {
  EXPECT_EQ(start(""), Nodes{0});  // in no group
  EXPECT_EQ(start("spread: node"), Nodes{0});
  EXPECT_EQ(start("spread: node"), Nodes{1});
  EXPECT_EQ(start("spread: rack"), Nodes{2});
  EXPECT_EQ(start("spread: rack"), Nodes{4});
  EXPECT_EQ(start("spread: rack", 3), (Nodes{2, 4, 0}));
  EXPECT_EQ(start(""), Nodes{0}) << "best fit, for which 2 GPUs are left there";
}

TEST_F(RulesTest, PackTakesThoseWithMost) {
  EXPECT_EQ(start("spread: node; group: x"), Nodes{0});
  cluster_.set_up({0}, false);
  cluster_.set_up({1}, false);
  EXPECT_EQ(start("spread: node"), Nodes{2});
  cluster_.set_up({0}, true);
  EXPECT_EQ(start("pack: rack", 2), (Nodes{2, 3}));
  EXPECT_EQ(start("pack: node"), Nodes{2});
  EXPECT_EQ(start("pack: node; group: x"), Nodes{0});
}

TEST_F(RulesTest, NearTakesTheNearestWithRoomAndNeverWaits) {
  EXPECT_EQ(start("near: data"), Nodes{0}) << "nothing of it runs";
  JobSpec data;
  data.name = "data";
  data.tasks = {{1, {.gpus = 3, .gpu_models = {}}}};
  data.placement = PlacementRules{};
  cluster_.allocate({3}, {0b111, kWholeGpu, {}, {}, Sharing::Exclusive, group_id("", "data")});
  EXPECT_EQ(start("near: data"), Nodes{3});
  EXPECT_EQ(start("near: data"), Nodes{2}) << "full: its rack";
  EXPECT_EQ(start("near: data", 2), (Nodes{2, 0}));
}

TEST_F(RulesTest, MaxPerNodeAndApartForbidNodes) {
  EXPECT_EQ(start("max_per_node: 1", 3), (Nodes{0, 1, 2}));
  EXPECT_EQ(start("max_per_node: 1", 4), Nodes{});
  EXPECT_EQ(start("max_per_node: 2"), Nodes{0});
  EXPECT_EQ(start("max_per_node: 2", 6), Nodes{});
  EXPECT_EQ(start("apart: a; group: b", 3), (Nodes{3, 4, 5}));
  EXPECT_EQ(start("apart: a; group: b", 4), Nodes{});
  EXPECT_EQ(start("max_per_node: 1", 3), (Nodes{3, 4, 5})) << "apart holds for who says it";
}

RC_GTEST_PROP(PlacementRules, ReadBackFromWhatIsShown, (std::uint64_t seed)) {
  Rng rng(seed);
  PlacementRules rules = random_rules(rng);
  if (rules.balance == Balance::None) rules.level = TopologyLevel::Node;
  RC_ASSERT(parse_placement_rules(to_string(rules)).value() == rules);
}

TEST(PlacementRules, WhatIsNoRuleIsNamed) {
  for (const char* wrong : {"spread", "spread: rak", "spread: rack, pack: node", "max_per_node: 0",
                            "max_per_node: x", "near:", ": a", "spread: none, x",
                            "near: a, near: b", "max_per_node: 1; max_per_node: 2"}) {
    EXPECT_FALSE(parse_placement_rules(wrong)) << wrong;
  }
}

RC_GTEST_PROP(FindPlacement, KeepsAGangTogetherExactlyWhenItCan, (std::uint64_t seed)) {
  Rng rng(seed);
  Cluster cluster = random_cluster(rng);
  JobSpec spec;
  std::vector<Request> tasks;
  for (std::uint64_t g = 1 + rng.below(2); g > 0; --g) {
    const auto count = static_cast<std::int32_t>(1 + rng.below(2));
    spec.tasks.push_back({count, random_request(rng)});
    tasks.insert(tasks.end(), static_cast<std::size_t>(count), spec.tasks.back().request);
  }
  const auto level = static_cast<TopologyLevel>(rng.below(kTopologyLevels));
  spec.topology = Topology{level, rng.below(2) == 0};
  Placer placer;
  const auto& policies = placement_names();
  placer.use(policies[rng.below(policies.size())].placement);
  std::int64_t work = 0;
  const Demand demand = DemandTable::make({0}, spec, cluster);
  const auto placement = placer.find(cluster, demand, 1 + rng.below(9), work);
  std::vector<bool> used(cluster.nodes().size());
  const bool anywhere = possible(cluster, tasks, used, 0);
  const bool together = possible_within(cluster, tasks, level);
  RC_ASSERT(placement.has_value() == (spec.topology->required ? together : anywhere));
  RC_ASSERT(placement.has_value() == fits(cluster, demand, work));
  if (!placement) return;
  RC_ASSERT(placement->size() == tasks.size());
  const NodeId first = placement->front().node;
  std::set<NodeId> nodes;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const TaskPlacement& task = (*placement)[i];
    RC_ASSERT(nodes.insert(task.node).second);
    RC_ASSERT(!together || in_one_domain(cluster, level, first, task.node));
    cluster.allocate(task.node, task.allocation);  // ends the process if it is not free
  }
}

TEST(FindPlacement, AGangTakesTheDomainWithTheLeastRoomThatIsEnough) {
  Cluster cluster;
  constexpr std::array<std::string_view, 8> kRacks{"a", "a", "a", "b", "b", "c", "c", "c"};
  for (std::uint32_t i = 0; i < kRacks.size(); ++i) {
    NodeSpec spec{"n", "", "A100", 2, {}, {}, {}, false};
    spec.location.rack = kRacks[i];
    ASSERT_TRUE(cluster.add({i}, spec));
  }
  cluster.allocate({0}, {0b11, kWholeGpu, {}, {}});
  JobSpec spec;
  spec.tasks = {{2, {.gpus = 2, .gpu_models = {}}}};
  spec.topology = Topology{TopologyLevel::Rack, false};
  const auto nodes_of = [&] {
    std::int64_t work = 0;
    const Demand demand = DemandTable::make({0}, spec, cluster);
    std::vector<std::uint32_t> nodes;
    const auto placement = Placer().find(cluster, demand, 1, work);
    if (!placement) return nodes;
    for (const TaskPlacement& task : *placement) {
      cluster.allocate(task.node, task.allocation);
      nodes.push_back(task.node.value);
    }
    return nodes;
  };
  using Nodes = std::vector<std::uint32_t>;
  EXPECT_EQ(nodes_of(), (Nodes{1, 2}));  // rack a: two are left there too, and it comes first
  EXPECT_EQ(nodes_of(), (Nodes{3, 4}));
  EXPECT_EQ(nodes_of(), (Nodes{5, 6}));
  EXPECT_EQ(nodes_of(), Nodes{});
  cluster.release({0}, {0b11, kWholeGpu, {}, {}});
  spec.topology->required = true;
  EXPECT_EQ(nodes_of(), Nodes{});  // one is free in each of two racks
  spec.topology->required = false;
  EXPECT_EQ(nodes_of(), (Nodes{0, 7}));
}

RC_GTEST_PROP(Thought, SaysWhatAClusterWouldSayThatWasSoChanged, (std::uint64_t seed)) {
  Rng rng(seed);
  Cluster cluster = random_cluster(rng);
  std::vector<TaskGroup> groups;
  for (std::uint64_t g = 1 + rng.below(3); g > 0; --g) {
    groups.push_back({static_cast<std::int32_t>(1 + rng.below(2)), random_request(rng)});
  }
  JobSpec spec;
  spec.tasks = groups;
  if (rng.below(2) == 0) {
    spec.topology = Topology{static_cast<TopologyLevel>(rng.below(kTopologyLevels)), true};
  }
  if (rng.below(2) == 0) spec.placement = random_rules(rng);
  const Demand demand = DemandTable::make({0}, spec, cluster);
  Cluster changed = cluster;
  std::int64_t work = 0;
  Thought thought(cluster, demand, work);
  RC_ASSERT(work == look_cost(cluster, {0}, demand.within()) + barred_cost(cluster, demand));
  Placer placer;
  std::vector<TaskPlacement> taken;
  for (std::uint64_t step = rng.below(12); step > 0; --step) {
    JobSpec other;
    other.tasks = one_task(random_request(rng));
    if (rng.below(2) == 0) other.placement.emplace().group = rng.below(2) == 0 ? "a" : "b";
    const Demand one = DemandTable::make({0}, other, cluster);
    if (!taken.empty() && rng.below(2) == 0) {
      thought.release(taken.back().node, taken.back().allocation);
      changed.release(taken.back().node, taken.back().allocation);
      taken.pop_back();
    } else if (const auto found = placer.find(changed, one, step, work)) {
      thought.allocate(found->front().node, found->front().allocation);
      changed.allocate(found->front().node, found->front().allocation);
      taken.push_back(found->front());
    }
    RC_ASSERT(thought.fits() == fits(changed, demand, work));
    for (std::uint32_t i = 0; i < changed.nodes().size(); ++i) {
      const Node& node = changed.node({i});
      Capacity free = node.free;
      std::sort(free.gpu.begin(), free.gpu.begin() + node.spec.gpus);
      const bool usable = node.open() && may_take(changed, demand, {i}) &&
                          usable_by(changed, demand, node.shape, free) != 0;
      RC_ASSERT(thought.usable({i}) == usable);
    }
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
  const Demand demand = DemandTable::make({0}, one_task(half), cluster);
  const auto placement = Placer().find(cluster, demand, 1, work);
  ASSERT_TRUE(placement);
  EXPECT_EQ(placement->front().node, NodeId{2});
  EXPECT_EQ(placement->front().allocation.devices, 0b10);
  EXPECT_EQ(work, 3);
}

/// A cluster in use: tasks of a few kinds come and go, each placed by the placer.
class Busy {
 public:
  Busy(std::uint64_t seed, PolicySpec::Placement placement) : rng_(seed), cluster_(fleet(rng_)) {
    cluster_.tell_residents_apart(placement == PolicySpec::Placement::GpuClustering);
    for (int i = 0; i < 8; ++i) kinds_.push_back(random_request(rng_));
  }

  /// Asks both, which must agree, and carries the answer out.
  void step(Placer& first, Placer& second) {
    if (!held_.empty() && rng_.below(3) == 0) {
      const std::size_t which = rng_.below(held_.size());
      for (const TaskPlacement& task : held_[which]) cluster_.release(task.node, task.allocation);
      held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(which));
      return;
    }
    const auto count = static_cast<std::int32_t>(1 + rng_.below(2));
    const std::vector<TaskGroup> tasks{{count, kinds_[rng_.below(kinds_.size())]}};
    if (learn(mix_, tasks)) {
      first.learn(mix_.published);
      second.learn(mix_.published);
    }
    const Demand& demand = demands_.at(demands_.intern({0}, tasks, cluster_));
    std::int64_t work = 0;
    const auto placement = first.find(cluster_, demand, ++job_, work);
    RC_ASSERT(placement == second.find(cluster_, demand, job_, work));
    if (!placement) return;
    for (const TaskPlacement& task : *placement) cluster_.allocate(task.node, task.allocation);
    held_.push_back(*placement);
  }

 private:
  static Cluster fleet(Rng& rng) {
    Cluster cluster;
    for (std::uint32_t i = 0; i < 8; ++i) {
      NodeSpec spec;
      spec.gpu_model = rng.below(2) == 0 ? "A100" : "T4";
      spec.gpus = static_cast<std::int32_t>(rng.below(9));
      spec.cpu = {static_cast<std::int64_t>(4000 * (1 + rng.below(4)))};
      EXPECT_TRUE(cluster.add({i}, spec));
    }
    return cluster;
  }

  Rng rng_;
  Cluster cluster_;
  std::vector<Request> kinds_;
  DemandTable demands_;
  DemandMix mix_;
  std::uint64_t job_ = 0;
  std::vector<std::vector<TaskPlacement>> held_;
};

RC_GTEST_PROP(Placer, RememberedScoresChangeNothing, (std::uint64_t seed)) {
  for (const PlacementName& policy : placement_names()) {
    Busy busy(seed, policy.placement);
    Placer remembering;
    remembering.use(policy.placement);
    Placer forgetful = remembering;
    forgetful.remember_scores(false);
    for (int i = 0; i < 60; ++i) busy.step(remembering, forgetful);
  }
}

RC_GTEST_PROP(Placer, ACopyAnswersAlike, (std::uint64_t seed)) {
  for (const PlacementName& policy : placement_names()) {
    Busy busy(seed, policy.placement);
    Placer placer;
    placer.use(policy.placement);
    for (int i = 0; i < 40; ++i) {
      Placer copy = placer;
      busy.step(placer, copy);
    }
  }
}

}  // namespace
}  // namespace gyre::reason
