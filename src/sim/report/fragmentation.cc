#include "sim/report/fragmentation.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace gyre::sim {
namespace {

constexpr double kCovered = 0.95;

std::int64_t free_milli(const Capacity& free) {
  return std::accumulate(free.gpu.begin(), free.gpu.end(), std::int64_t{0});
}

/// F_n(m) of the paper: what of the node's free share a task of this kind cannot use.
std::int64_t lost_to(const Request& request, const Shape& shape, const Capacity& free) {
  const std::int64_t all = free_milli(free);
  const auto& models = request.gpu_models;
  const bool suits =
      models.empty() || std::find(models.begin(), models.end(), shape.gpu_model) != models.end();
  if (request.gpus == 0 || !suits || free.cpu < request.cpu) return all;
  std::int64_t too_small = 0;
  std::int32_t enough = 0;
  for (const std::int16_t left : free.gpu) {
    if (left >= request.gpu_milli.value) {
      ++enough;
    } else {
      too_small += left;
    }
  }
  return enough < request.gpus ? all : too_small;
}

}  // namespace

std::vector<TypicalTask> typical_tasks(const Workload& workload) {
  std::vector<std::uint64_t> jobs_of_gang(workload.gangs.size(), 0);
  for (const std::uint32_t gang : workload.gang_of) ++jobs_of_gang[gang];
  std::map<Request, std::uint64_t> count_of;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < workload.gangs.size(); ++i) {
    for (const TaskGroup& group : workload.gangs[i]) {
      Request kind = group.request;
      kind.memory = MemoryMib{0};  // the paper's kinds do not tell memory apart
      const std::uint64_t tasks = jobs_of_gang[i] * static_cast<std::uint64_t>(group.count);
      count_of[kind] += tasks;
      total += tasks;
    }
  }
  std::vector<std::pair<Request, std::uint64_t>> kinds(count_of.begin(), count_of.end());
  std::stable_sort(kinds.begin(), kinds.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<TypicalTask> typical;
  std::uint64_t covered = 0;
  for (const auto& [request, count] : kinds) {
    if (static_cast<double>(covered) >= kCovered * static_cast<double>(total)) break;
    typical.push_back({request, static_cast<double>(count)});
    covered += count;
  }
  for (TypicalTask& task : typical) task.share /= static_cast<double>(covered);
  return typical;
}

std::optional<double> Fragmentation::ratio(const Cluster& cluster) {
  double lost_milli = 0;
  std::int64_t all = 0;
  for (std::uint32_t partition = 0; partition < cluster.partition_count(); ++partition) {
    for (const std::uint32_t index : cluster.classes(PartitionId{partition})) {
      const NodeClass& state = cluster.node_class(index);
      if (known_.size() <= index) known_.resize(index + 1);
      Known& known = known_[index];
      if (known.shape != state.shape || known.free != state.free) {
        known = {state.shape, state.free, lost(cluster.shape(state.shape), state.free)};
      }
      const auto nodes = static_cast<std::int64_t>(state.nodes.size());
      lost_milli += known.lost_milli * static_cast<double>(nodes);
      all += free_milli(state.free) * nodes;
    }
  }
  if (all == 0) return std::nullopt;
  return lost_milli / static_cast<double>(all);
}

double Fragmentation::lost(const Shape& shape, const Capacity& free) const {
  double sum = 0;
  for (const TypicalTask& task : tasks_) {
    sum += task.share * static_cast<double>(lost_to(task.request, shape, free));
  }
  return sum;
}

}  // namespace gyre::sim
