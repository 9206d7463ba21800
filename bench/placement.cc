// One placement decision on a fleet of 10,000 nodes that is nearly full of fractions: what a policy
// costs where node states are about as many as nodes.
#include <benchmark/benchmark.h>

#include <deque>
#include <vector>

#include "base/rng.h"
#include "reason/placement/placer.h"

namespace gyre::reason {
namespace {

constexpr std::uint32_t kNodes = 10'000;
constexpr double kFull = 0.9;

/// Kinds of tasks in openb's proportions, roughly: fractions, whole GPUs, a few large ones.
std::vector<Request> kinds() {
  std::vector<Request> all;
  for (const std::int32_t milli : {810, 470, 650, 320, 230, 460}) {
    for (const std::int64_t cpu : {3'000, 8'000, 12'000}) {
      all.push_back({1, {milli}, {}, {}, {cpu}, {4'096}});
    }
  }
  for (const std::int64_t cpu : {4'000, 8'000, 9'800, 11'300, 12'000, 16'000}) {
    for (int weight = 0; weight < 4; ++weight) all.push_back({1, kWholeGpu, {}, {}, {cpu}, {}});
  }
  all.push_back({4, kWholeGpu, {}, {}, {32'000}, {}});
  all.push_back({8, kWholeGpu, {}, {}, {64'000}, {}});
  return all;
}

class Fleet {
 public:
  explicit Fleet(PolicySpec::Placement placement) {
    cluster_.tell_residents_apart(placement == PolicySpec::Placement::GpuClustering);
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      const NodeSpec spec{"n", "", "A100", 8, {}, {96'000}, {1'048'576}, false};
      if (!cluster_.add({i}, spec)) std::abort();
    }
    placer_.use(PolicySpec::Placement::BestFit);
    std::vector<DemandKind> mix;
    for (const Request& kind : kinds()) {
      const std::vector<TaskGroup> tasks{{1, kind}};
      demands_of_.push_back(demands_.intern({0}, tasks, cluster_));
      mix.push_back({kind, 1});
    }
    const auto capacity = static_cast<double>(cluster_.free_gpu_milli({0}));
    while (static_cast<double>(cluster_.free_gpu_milli({0})) > (1 - kFull) * capacity) {
      if (!start()) break;
    }
    placer_.use(placement);
    placer_.learn(mix);
  }

  /// Ends the oldest task and places another.
  void turn() {
    const TaskPlacement oldest = held_.front();
    held_.pop_front();
    cluster_.release(oldest.node, oldest.allocation);
    start();
  }

  /// Finds a place for a task as if nothing were remembered.
  void first_turn() {
    Placer fresh = placer_;
    std::int64_t work = 0;
    const Demand& demand = demands_.at(demands_of_[rng_.below(demands_of_.size())]);
    benchmark::DoNotOptimize(fresh.find(cluster_, demand, ++jobs_, work));
  }

  std::size_t states() const { return cluster_.classes({0}).size(); }

 private:
  bool start() {
    std::int64_t work = 0;
    const Demand& demand = demands_.at(demands_of_[rng_.below(demands_of_.size())]);
    const auto placement = placer_.find(cluster_, demand, ++jobs_, work);
    if (!placement) return false;
    cluster_.allocate(placement->front().node, placement->front().allocation);
    held_.push_back(placement->front());
    return true;
  }

  Rng rng_{1};
  Cluster cluster_;
  DemandTable demands_;
  Placer placer_;
  std::vector<std::uint32_t> demands_of_;
  std::deque<TaskPlacement> held_;
  std::uint64_t jobs_ = 0;
};

void Decide(benchmark::State& state, PolicySpec::Placement placement) {
  Fleet fleet(placement);
  for (int i = 0; i < 2'000; ++i) fleet.turn();  // every demand has been seen
  for (auto _ : state) fleet.turn();
  state.counters["node_states"] = static_cast<double>(fleet.states());
}

void DecideFirst(benchmark::State& state, PolicySpec::Placement placement) {
  Fleet fleet(placement);
  for (auto _ : state) fleet.first_turn();
}

void register_all() {
  for (const PlacementName& placement : placement_names()) {
    benchmark::RegisterBenchmark(("Decide/" + std::string(placement.name)).c_str(), Decide,
                                 placement.placement)
        ->Unit(benchmark::kMicrosecond);
    if (!make_placement(placement.placement)->learns()) continue;
    benchmark::RegisterBenchmark(("DecideFirst/" + std::string(placement.name)).c_str(),
                                 DecideFirst, placement.placement)
        ->Unit(benchmark::kMillisecond);
  }
}
const bool kRegistered = (register_all(), true);

}  // namespace
}  // namespace gyre::reason

BENCHMARK_MAIN();
