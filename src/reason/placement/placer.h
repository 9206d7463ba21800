#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "domain/image_holders.h"
#include "domain/job_table.h"
#include "domain/policy.h"
#include "reason/placement/placement.h"

namespace gyre::reason {

std::unique_ptr<PlacementPolicy> make_placement(PolicySpec::Placement placement);

/// For whom room is looked for.
struct Asker {
  Asker(std::uint64_t number, std::span<const NodeId> rather = {})
      : draw(number), preferred(rather) {}

  std::uint64_t draw;                 // another number for each job
  std::span<const NodeId> preferred;  // as of a Search
};
/// The job, which prefers nodes that hold its image.
Asker asker(JobId id, const JobTable& jobs, const ImageHolders& images);

/// Places gangs by one policy, and remembers its costly scores for each demand and node state: only
/// states that are new since the demand was last placed are scored again. What is remembered never
/// changes an answer; a copy starts without it. For one cluster and its copies. Not thread-safe.
class Placer {
 public:
  Placer() { use(PolicySpec::Placement::BestFit); }
  Placer(const Placer& other);
  Placer& operator=(const Placer& other);
  ~Placer() = default;

  void use(PolicySpec::Placement placement);
  bool learns() const { return policy_->learns(); }
  void learn(std::vector<DemandKind> mix);
  const std::vector<DemandKind>& mix() const { return mix_; }

  /// For comparing: a placer that remembers nothing answers alike.
  void remember_scores(bool remember) { remembers_ = remember; }

  /// As find_placement().
  std::optional<std::vector<TaskPlacement>> find(const Cluster& cluster, const Demand& demand,
                                                 const Asker& who, std::int64_t& work);

 private:
  struct Known {
    std::uint64_t serial = 0;
    std::int64_t cost = 0;
    std::int16_t device_free = 0;
  };
  /// The scores for one group of one demand.
  struct Row {
    std::uint64_t owner = 0;   // Demand::Group::id
    std::vector<Known> known;  // by class index
  };
  static constexpr std::size_t kRows = 512;

  void follow(const Cluster& cluster);
  void forget();
  Score remembered(const NodeView& node, std::uint32_t class_index, const Demand::Group& group);

  PolicySpec::Placement placement_ = PolicySpec::Placement::BestFit;
  std::unique_ptr<PlacementPolicy> policy_;
  std::vector<DemandKind> mix_;
  std::size_t nodes_known_ = 0;
  bool remembers_ = true;
  std::vector<Row> rows_;
};

}  // namespace gyre::reason
