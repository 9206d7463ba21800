#include "reason/preemption/prospect.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/rng.h"
#include "domain/trial.h"
#include "reason/placement/free_capacity.h"
#include "reason/preemption/claimed.h"
#include "reason/preemption/node_parts.h"

namespace gyre::reason {
namespace {

using Classes = std::map<std::tuple<ShapeId, Capacity, bool>, std::vector<NodeId>>;

Classes classes_of(const Cluster& cluster) {
  Classes classes;
  for (const std::uint32_t index : cluster.classes({0})) {
    const NodeClass& state = cluster.node_class(index);
    classes[{state.shape, state.free, state.suspect}] = state.nodes;
  }
  return classes;
}

/// A cluster on which parts come and go by chance, some of them about to leave, others claimed.
class Fleet {
 public:
  explicit Fleet(std::uint64_t seed) : rng_(seed) {
    cluster_.partition("");
    for (std::uint64_t i = 1 + rng_.below(6); i > 0; --i) join();
  }

  void change() {
    const NodeId node{static_cast<std::uint32_t>(rng_.below(cluster_.nodes().size()))};
    switch (rng_.below(10)) {
      case 0:
        return cluster_.set_silent(node, !cluster_.node(node).silent);
      case 1:
        return cluster_.set_up(node, !cluster_.node(node).up);
      case 2:
        return cluster_.set_suspect(node, !cluster_.node(node).suspect);
      case 3:
        return rng_.below(6) == 0 ? join() : give_back();
      case 4:
        return give_back();
      case 5:
        return leave();
      case 6:
        return claim(node);
      default:
        return take(node);
    }
  }

  /// It says what a copy of the cluster says on which all of that is done.
  void compare() {
    const bool first = prospect_.made() == 0;
    const std::uint64_t made = prospect_.made();
    const std::uint64_t grown = first ? 0 : prospect_.cluster().growth({0});
    const Classes before = first ? Classes{} : classes_of(prospect_.cluster());
    prospect_.follow(source());
    Cluster wanted = cluster_;
    for (std::uint32_t i = 0; i < cluster_.nodes().size(); ++i) {
      if (cluster_.shape(cluster_.node({i}).shape).partition != PartitionId{0}) continue;
      for (const auto& part : leaving_.on({i})) wanted.release({i}, part.allocation);
      for (const auto& part : claimed_.on({i})) {
        if (is_free(wanted, {0, {i}, part.allocation})) wanted.allocate({i}, part.allocation);
      }
    }
    const Classes now = classes_of(prospect_.cluster());
    RC_ASSERT(now == classes_of(wanted));
    RC_ASSERT(prospect_.cluster().free_gpu_milli({0}) == wanted.free_gpu_milli({0}));
    for (std::uint64_t group = 1; group < kGroups; ++group) {
      for (std::uint32_t i = 0; i < cluster_.nodes().size(); ++i) {
        RC_ASSERT(prospect_.cluster().tasks_of({group}, {i}) == wanted.tasks_of({group}, {i}));
      }
    }
    caught_up += made == prospect_.made() ? 1 : 0;
    // Whatever fits that did not is seen by its growth.
    if (made == prospect_.made() && grown == prospect_.cluster().growth({0})) {
      for (const auto& [state, nodes] : now) {
        for (const NodeId node : nodes) RC_ASSERT(had(before, node, std::get<1>(state)));
      }
    }
  }

  /// A trial on it leaves no trace.
  void try_something() {
    Trial trial(prospect_.cluster(), {0});
    for (const Node& node : prospect_.cluster().nodes()) {
      const NodeId id{static_cast<std::uint32_t>(&node - prospect_.cluster().nodes().data())};
      if (node.open() && node.free.cpu.value >= 100) trial.allocate(id, {0, {}, {100}, {}});
    }
  }

  int caught_up = 0;

 private:
  struct Held {
    JobId job;
    NodeId node;
    Allocation part;
  };

  static bool had(const Classes& before, NodeId node, const Capacity& free) {
    return std::any_of(before.begin(), before.end(), [&](const auto& entry) {
      const Capacity& then = std::get<1>(entry.first);
      bool enough = free.cpu <= then.cpu && free.memory <= then.memory;
      for (std::size_t i = 0; i < free.gpu.size(); ++i) {
        enough = enough && free.gpu[i] <= then.gpu[i];
      }
      return enough && std::count(entry.second.begin(), entry.second.end(), node) > 0;
    });
  }

  Prospect::Source source() {
    const auto change = [this](NodeId id, const Node& node, Capacity& free,
                               std::vector<GroupId>& groups) {
      for (const auto& part : leaving_.on(id)) {
        add(part.allocation, 1, free);
        const auto own = std::find(groups.begin(), groups.end(), part.allocation.group);
        if (own != groups.end()) groups.erase(own);
      }
      for (const auto& part : claimed_.on(id)) {
        if (!node.open() || !has(free, part.allocation)) continue;
        add(part.allocation, -1, free);
        if (part.allocation.group.value != 0) groups.push_back(part.allocation.group);
      }
    };
    return {cluster_, {0}, placer_, grouped_, {&leaving_.log(), &claimed_.log()}, change};
  }

  void join() {
    NodeSpec node;
    node.gpus = static_cast<std::int32_t>(rng_.below(5));
    node.cpu = CpuMilli{8000};
    node.memory = MemoryMib{1000};
    node.partition = rng_.below(5) == 0 ? "other" : "";
    const NodeId id{static_cast<std::uint32_t>(cluster_.nodes().size())};
    RC_ASSERT(cluster_.add(id, node).has_value());
  }

  Allocation some_part(const NodeSpec& node) {
    Allocation part;
    part.devices = static_cast<std::uint16_t>(rng_.below(1ULL << node.gpus));
    part.gpu_milli = GpuMilli{rng_.below(2) == 0 ? 1000 : 300};
    part.cpu = CpuMilli{static_cast<std::int64_t>(rng_.below(3)) * 1000};
    part.memory = MemoryMib{static_cast<std::int64_t>(rng_.below(3)) * 100};
    part.group = GroupId{rng_.below(kGroups)};
    return part;
  }

  void take(NodeId node) {
    const Allocation part = some_part(cluster_.node(node).spec);
    if (!has(cluster_.node(node).free, part)) return;
    cluster_.allocate(node, part);
    held_.push_back({{++last_}, node, part});
    if (part.group.value != 0) grouped_.add(node, {{last_}, 0, part});
  }

  void give_back() {
    if (held_.empty()) return;
    const std::size_t at = rng_.below(held_.size());
    const Held held = held_[at];
    cluster_.release(held.node, held.part);
    leaving_.remove(held.node, held.job);
    grouped_.remove(held.node, held.job);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void leave() {
    if (held_.empty()) return;
    const Held& held = held_[rng_.below(held_.size())];
    leaving_.remove(held.node, held.job);
    leaving_.add(held.node, {held.job, 0, held.part});
  }

  void claim(NodeId node) {
    const auto claims = claimed_.on(node);
    if (!claims.empty() && rng_.below(2) == 0) return claimed_.remove(node, claims[0].job);
    claimed_.add(node, {{++last_}, 0, some_part(cluster_.node(node).spec)});
  }

  static constexpr std::uint64_t kGroups = 3;  // the first is none

  Rng rng_;
  Cluster cluster_;
  Placer placer_;
  NodeParts grouped_;
  NodeParts leaving_;
  NodeParts claimed_;
  Prospect prospect_;
  std::vector<Held> held_;
  std::uint64_t last_ = 0;
};

RC_GTEST_PROP(Prospect, SaysWhatACopyWouldOnWhichAllIsDone, (std::uint64_t seed)) {
  Fleet fleet(seed);
  for (int i = 0; i < 150; ++i) {
    fleet.change();
    if (i % 4 == 0) fleet.compare();
    if (i % 16 == 0) fleet.try_something();
  }
  RC_TAG(fleet.caught_up > 10);
}

TEST(Prospect, ACopyIsMadeAnew) {
  Cluster cluster;
  ASSERT_TRUE(cluster.add({0}, {}).has_value());
  const Placer placer;
  const NodeParts grouped;
  const auto nothing = [](NodeId, const Node&, Capacity&, std::vector<GroupId>&) {};
  const Prospect::Source source{cluster, {0}, placer, grouped, {}, nothing};
  Prospect prospect;
  prospect.follow(source);
  EXPECT_EQ(prospect.made(), 1U);
  Prospect copy(prospect);
  copy.follow(source);
  EXPECT_EQ(copy.made(), 2U) << "what is known of the one is not taken for the other's";
  prospect.follow(source);
  EXPECT_EQ(prospect.made(), 1U);
}

TEST(Prospect, ALogThatForgotIsNoticed) {
  Cluster cluster;
  NodeSpec node;
  node.gpus = 1;
  ASSERT_TRUE(cluster.add({0}, node).has_value());
  const Placer placer;
  const NodeParts grouped;
  const auto nothing = [](NodeId, const Node&, Capacity&, std::vector<GroupId>&) {};
  const Prospect::Source source{cluster, {0}, placer, grouped, {}, nothing};
  Prospect prospect;
  prospect.follow(source);
  const Allocation one{1, kWholeGpu, {}, {}};
  for (std::size_t i = 0; i < NodeLog::kKept; ++i) {
    cluster.allocate({0}, one);
    cluster.release({0}, one);
  }
  cluster.allocate({0}, one);
  prospect.follow(source);
  EXPECT_EQ(prospect.made(), 2U);
  EXPECT_EQ(prospect.cluster().free_gpu_milli({0}), 0);
}

}  // namespace
}  // namespace gyre::reason
