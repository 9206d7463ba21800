#include "sim/experiment/inflation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/assert.h"
#include "base/rng.h"
#include "reason/placement/fragmentation.h"
#include "reason/placement/placer.h"
#include "sim/traces/byte_source.h"
#include "sim/traces/trace.h"
#include "sim/workload.h"

namespace gyre::sim {
namespace {

/// One trace on the fleet, ready to be run many times.
struct Setting {
  std::string name;
  std::vector<NodeSpec> nodes;                // by name
  std::vector<std::vector<TaskGroup>> kinds;  // each of one task
  std::vector<std::uint32_t> tasks;           // by trace order: index of the kind
  std::vector<DemandKind> mix;
  std::int64_t capacity_milli = 0;

  std::int64_t milli(std::uint32_t kind) const { return gpu_total(kinds[kind]).value; }
};

template <class T>
void shuffle(std::vector<T>& items, Rng rng) {
  for (std::size_t left = items.size(); left > 1; --left) {
    std::swap(items[left - 1], items[rng.below(left)]);
  }
}

Result<Setting> make_setting(const Trace& trace, const Fleet& fleet) {
  Setting setting;
  setting.name = trace.name;
  setting.nodes = fleet.nodes;
  std::sort(setting.nodes.begin(), setting.nodes.end(),
            [](const NodeSpec& a, const NodeSpec& b) { return a.name < b.name; });
  for (NodeSpec& node : setting.nodes) {
    node.partition.clear();
    setting.capacity_milli += std::int64_t{node.gpus} * kWholeGpu.value;
  }
  if (setting.capacity_milli == 0) return fail(ErrorKind::Invalid, "the fleet has no GPU");
  const Workload workload = make_workload(trace, {setting.nodes, false, {}});
  setting.kinds = workload.gangs;
  setting.tasks = workload.gang_of;
  setting.mix = demand_mix(workload);
  bool any_gpu = false;
  for (const auto& kind : setting.kinds) {
    any_gpu = any_gpu || gpu_total(kind).value > 0;
    if (task_count(kind) == 1) continue;
    return fail(ErrorKind::Invalid,
                "{} has a job of {} nodes; the experiment is for jobs of one node", trace.name,
                task_count(kind));
  }
  if (!any_gpu) return fail(ErrorKind::Invalid, "no job of {} asks for a GPU", trace.name);
  return setting;
}

/// The tasks that arrive, in order; see run_inflation(). As published, the drawn task that would go
/// over the limit is judged by what it asks of one device.
std::vector<std::uint32_t> arrivals(const Setting& setting, Rng rng) {
  const std::int64_t limit = setting.capacity_milli * kLoadPercentMax / 100;
  std::vector<std::uint32_t> order = setting.tasks;
  shuffle(order, rng.stream("order"));
  Rng draws = rng.stream("draws");
  std::int64_t load = 0;
  for (const std::uint32_t kind : order) load += setting.milli(kind);
  while (load > limit) {
    const std::uint64_t which = draws.below(order.size());
    load -= setting.milli(order[which]);
    order.erase(order.begin() + static_cast<std::ptrdiff_t>(which));
  }
  while (true) {
    const std::uint32_t kind = setting.tasks[draws.below(setting.tasks.size())];
    const Request& request = setting.kinds[kind].front().request;
    const std::int64_t of_one_device = request.gpus == 0 ? 0 : request.gpu_milli.value;
    if (load + of_one_device >= limit) return order;
    order.push_back(kind);
    load += setting.milli(kind);
  }
}

struct Point {
  double allocation = 0;
  double fragmentation = 0;
  double ratio = 0;
  std::int64_t tasks = 0;
};

/// One seed's run of one placement.
class Run {
 public:
  Run(const Setting& setting, PolicySpec::Placement placement, std::uint64_t seed)
      : setting_(setting), fragmentation_(setting.mix), by_load_(kLoadPercentMax + 1) {
    const Rng rng(seed);
    arrivals_ = arrivals(setting, rng.stream("tasks"));
    draw_ = rng.stream("policy").next() >> 1;
    std::vector<NodeSpec> nodes = setting.nodes;
    shuffle(nodes, rng.stream("nodes"));
    cluster_.tell_residents_apart(placement == PolicySpec::Placement::GpuClustering);
    for (const NodeSpec& node : nodes) {
      const NodeId id{static_cast<std::uint32_t>(cluster_.nodes().size())};
      GYRE_ASSERT(cluster_.add(id, node).has_value());  // the fleet's reader has checked it
      lost_ += lost_on(id);
    }
    placer_.use(placement);
    placer_.learn(setting.mix);
    for (const auto& kind : setting.kinds)
      demands_of_.push_back(demands_.intern({0}, kind, cluster_));
  }

  std::vector<Point> play() {
    for (const std::uint32_t kind : arrivals_) arrive(kind);
    return std::move(by_load_);
  }
  std::size_t tasks() const { return arrivals_.size(); }

 private:
  void arrive(std::uint32_t kind) {
    arrived_ += setting_.milli(kind);
    std::int64_t work = 0;
    const auto place = placer_.find(cluster_, demands_.at(demands_of_[kind]), ++draw_, work);
    if (place) {
      const TaskPlacement& task = place->front();
      lost_ -= lost_on(task.node);
      cluster_.allocate(task.node, task.allocation);
      lost_ += lost_on(task.node);
      allocated_ += setting_.milli(kind);
    }
    const auto capacity = static_cast<double>(setting_.capacity_milli);
    const auto percent =
        static_cast<std::size_t>(std::lround(100 * static_cast<double>(arrived_) / capacity));
    Point& point = by_load_[std::min(percent, by_load_.size() - 1)];
    const double lost = static_cast<double>(lost_) / static_cast<double>(fragmentation_.weight());
    const auto free = static_cast<double>(setting_.capacity_milli - allocated_);
    point.allocation += static_cast<double>(allocated_) / capacity;
    point.fragmentation += lost / capacity;
    point.ratio += free > 0 ? lost / free : 0;
    ++point.tasks;
  }

  std::int64_t lost_on(NodeId id) {
    const Node& node = cluster_.node(id);
    const Capacity& free = cluster_.node_class(node.class_index).free;
    return fragmentation_.lost(node.shape, cluster_.shape(node.shape), free);
  }

  const Setting& setting_;
  std::vector<std::uint32_t> arrivals_;
  reason::Fragmentation fragmentation_;
  Cluster cluster_;
  reason::Placer placer_;
  reason::DemandTable demands_;
  std::vector<std::uint32_t> demands_of_;  // by kind
  std::vector<Point> by_load_;
  std::uint64_t draw_ = 0;
  std::int64_t arrived_ = 0;
  std::int64_t allocated_ = 0;
  std::int64_t lost_ = 0;  // times fragmentation_.weight()
};

/// Means over seeds.
class Means {
 public:
  void add(const std::vector<Point>& run) {
    for (std::size_t i = 0; i < run.size(); ++i) {
      if (run[i].tasks == 0) continue;
      const auto tasks = static_cast<double>(run[i].tasks);
      sums_[i].allocation += run[i].allocation / tasks;
      sums_[i].fragmentation += run[i].fragmentation / tasks;
      sums_[i].ratio += run[i].ratio / tasks;
      ++sums_[i].tasks;
      if (i == 100) at_full_.push_back(run[i].allocation / tasks);
    }
  }

  void write(InflationResult& result) const {
    for (const Point& sum : sums_) {
      const auto n = static_cast<double>(std::max<std::int64_t>(sum.tasks, 1));
      result.by_load.push_back(
          {sum.allocation / n, sum.fragmentation / n, sum.ratio / n, sum.tasks > 0});
    }
    if (at_full_.size() < 2) return;
    const double mean = result.by_load[100].allocation;
    double squares = 0;
    for (const double value : at_full_) squares += (value - mean) * (value - mean);
    result.allocation_deviation = std::sqrt(squares / static_cast<double>(at_full_.size() - 1));
  }

 private:
  std::vector<Point> sums_{kLoadPercentMax + 1};
  std::vector<double> at_full_;  // allocation at 100 %, by seed
};

InflationResult run_seeds(const InflationOptions& options, const Setting& setting,
                          PolicySpec::Placement placement, InflationProgress& progress) {
  InflationResult result;
  result.trace = setting.name;
  result.placement = placement;
  progress.trace = setting.name;
  progress.placement = placement_names()[static_cast<std::size_t>(placement)].name;
  const double began_s = options.cpu_clock_s ? options.cpu_clock_s() : 0;
  const auto seeds = static_cast<double>(options.seeds);
  Means means;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    if (options.progress) options.progress(progress);
    Run run(setting, placement, options.first_seed + i);
    means.add(run.play());
    result.tasks += static_cast<double>(run.tasks()) / seeds;
    ++progress.runs_done;
  }
  means.write(result);
  if (options.cpu_clock_s) result.cpu_s = (options.cpu_clock_s() - began_s) / seeds;
  return result;
}

}  // namespace

Result<InflationReport> run_inflation(const InflationOptions& options) {
  if (options.trace_paths.empty() || options.placements.empty() || options.seeds == 0) {
    return fail(ErrorKind::Invalid, "an experiment needs a trace, a placement and a seed");
  }
  const auto fleet = read_fleet(options.nodes);
  if (!fleet) return tl::unexpected(fleet.error());
  InflationReport report;
  report.nodes = fleet->nodes.size();
  for (const NodeSpec& node : fleet->nodes) report.gpus += static_cast<std::uint64_t>(node.gpus);
  report.first_seed = options.first_seed;
  report.seeds = options.seeds;
  InflationProgress progress;
  progress.runs = options.trace_paths.size() * options.placements.size() * options.seeds;
  for (const std::string& path : options.trace_paths) {
    auto source = open_source(path);
    if (!source) return tl::unexpected(source.error());
    const auto trace =
        read_trace(std::move(*source), display_name(path), {options.format, {}, false});
    if (!trace) return tl::unexpected(trace.error());
    const auto setting = make_setting(*trace, *fleet);
    if (!setting) return tl::unexpected(setting.error());
    for (const PolicySpec::Placement placement : options.placements) {
      report.results.push_back(run_seeds(options, *setting, placement, progress));
    }
  }
  return report;
}

}  // namespace gyre::sim
