#include "reason/placement/fragmentation.h"

#include <algorithm>
#include <numeric>

#include "reason/placement/placement.h"

namespace gyre::reason {

Fragmentation::Fragmentation(const std::vector<DemandKind>& mix) : typical_(typical_of(mix)) {
  for (const DemandKind& kind : typical_) weight_ += kind.tasks;
}

std::int64_t Fragmentation::lost(ShapeId id, const Shape& shape, const Capacity& free) {
  if (kinds_.size() <= id.value) kinds_.resize(id.value + 1);
  auto& kinds = kinds_[id.value];
  if (!kinds) {
    kinds.emplace();
    for (const auto& [request, tasks] : typical_) {
      if (request.gpus == 0 || !could_run(shape, request)) continue;
      kinds->push_back({request.cpu.value, request.gpus, request.gpu_milli.value, tasks});
    }
    std::stable_sort(kinds->begin(), kinds->end(),
                     [](const Kind& a, const Kind& b) { return a.cpu < b.cpu; });
  }
  const auto begin = free.gpu.begin();
  const auto end = begin + shape.gpus;
  const std::int64_t all = std::accumulate(begin, end, std::int64_t{0});
  std::int64_t lost = all * weight_;
  for (const Kind& kind : *kinds) {
    if (kind.cpu > free.cpu.value) break;
    const auto first = std::lower_bound(begin, end, static_cast<std::int16_t>(kind.gpu_milli));
    if (end - first < kind.gpus) continue;
    lost -= kind.tasks * std::accumulate(first, end, std::int64_t{0});
  }
  return lost;
}

Fragmentation::Sum Fragmentation::measure(const Cluster& cluster) {
  std::int64_t lost_sum = 0;
  Sum sum;
  for (std::uint32_t partition = 0; partition < cluster.partition_count(); ++partition) {
    sum.free_milli += cluster.free_gpu_milli({partition});
    for (const std::uint32_t index : cluster.classes({partition})) {
      const NodeClass& state = cluster.node_class(index);
      if (known_.size() <= index) known_.resize(index + 1);
      Known& known = known_[index];
      if (known.serial != state.serial) {
        known = {state.serial, lost(state.shape, cluster.shape(state.shape), state.free)};
      }
      lost_sum += known.lost * static_cast<std::int64_t>(state.nodes.size());
    }
  }
  if (weight_ == 0) return sum;
  sum.lost_milli = static_cast<double>(lost_sum) / static_cast<double>(weight_);
  if (sum.free_milli > 0) sum.ratio = sum.lost_milli / static_cast<double>(sum.free_milli);
  return sum;
}

}  // namespace gyre::reason
