#include "reason/placement/placer.h"

#include "base/assert.h"
#include "reason/placement/best_fit.h"
#include "reason/placement/dot_product.h"
#include "reason/placement/fgd.h"
#include "reason/placement/gpu_clustering.h"
#include "reason/placement/gpu_packing.h"
#include "reason/placement/lookahead.h"
#include "reason/placement/random.h"
#include "reason/placement/search.h"
#include "reason/placement/weighted_best_fit.h"

namespace gyre::reason {

std::unique_ptr<PlacementPolicy> make_placement(PolicySpec::Placement placement) {
  switch (placement) {
    case PolicySpec::Placement::BestFit:
      return std::make_unique<BestFit>();
    case PolicySpec::Placement::Random:
      return std::make_unique<Random>();
    case PolicySpec::Placement::DotProduct:
      return std::make_unique<DotProduct>();
    case PolicySpec::Placement::GpuClustering:
      return std::make_unique<GpuClustering>();
    case PolicySpec::Placement::GpuPacking:
      return std::make_unique<GpuPacking>();
    case PolicySpec::Placement::WeightedBestFit:
      return std::make_unique<WeightedBestFit>();
    case PolicySpec::Placement::Fgd:
      return std::make_unique<Fgd>();
    case PolicySpec::Placement::Lookahead:
      return std::make_unique<Lookahead>();
  }
  GYRE_ASSERT(false);
  return nullptr;
}

Asker asker(JobId id, const JobTable& jobs, const ImageHolders& images) {
  if (images.empty()) return id.value;
  const ImageId image = jobs.image(id);
  if (image.value == 0) return id.value;
  return {id.value, images.of(image)};
}

Placer::Placer(const Placer& other) : remembers_(other.remembers_) {
  use(other.placement_);
  learn(other.mix_);
}

Placer& Placer::operator=(const Placer& other) {
  if (this == &other) return *this;
  remembers_ = other.remembers_;
  use(other.placement_);
  learn(other.mix_);
  return *this;
}

void Placer::use(PolicySpec::Placement placement) {
  placement_ = placement;
  policy_ = make_placement(placement);
  policy_->learn(mix_);
  nodes_known_ = 0;
  forget();
}

void Placer::learn(std::vector<DemandKind> mix) {
  mix_ = std::move(mix);
  policy_->learn(mix_);
  forget();
}

void Placer::forget() { rows_.clear(); }

void Placer::follow(const Cluster& cluster) {
  if (nodes_known_ == cluster.nodes().size()) return;
  nodes_known_ = cluster.nodes().size();
  policy_->fleet(cluster);
  forget();
}

Score Placer::remembered(const NodeView& node, std::uint32_t class_index,
                         const Demand::Group& group) {
  if (rows_.empty()) rows_.resize(kRows);
  Row& row = rows_[group.id % kRows];
  if (row.owner != group.id) {
    row.owner = group.id;
    row.known.clear();
  }
  if (row.known.size() <= class_index) row.known.resize(class_index + 1);
  Known& known = row.known[class_index];
  if (known.serial != node.serial) {
    const Score score = policy_->score(node, group.request, 0);
    known = {node.serial, score.cost[0], score.device_free};
  }
  return {{known.cost, 0, 0}, known.device_free};
}

std::optional<std::vector<TaskPlacement>> Placer::find(const Cluster& cluster, const Demand& demand,
                                                       const Asker& who, std::int64_t& work) {
  follow(cluster);
  const bool remembers = remembers_ && policy_->costly();
  const StateScore score = [&](const NodeView& node, std::uint32_t class_index,
                               const Demand::Group& group) {
    if (remembers && group.id != 0) return remembered(node, class_index, group);
    return policy_->score(node, group.request, who.draw);
  };
  Search search{cluster, demand, policy_->per_node(), demand.within(), who.preferred};
  if (!demand.topology || search.within) return find_placement(search, score, work);
  if (!fits(cluster, demand, work)) return std::nullopt;
  for (auto level = static_cast<std::size_t>(demand.topology->level) + 1; level-- > 0;) {
    search.within = static_cast<TopologyLevel>(level);
    if (auto placement = find_placement(search, score, work)) return placement;
  }
  search.within.reset();
  return find_placement(search, score, work);
}

}  // namespace gyre::reason
