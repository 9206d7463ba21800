#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "reason/placement/placement.h"

namespace gyre::reason {

/// Gyre's own placement: the node and device where the least GPU share is lost in the end.
///
/// FGD asks what the next typical task could not use. Lookahead asks what stays unused after many
/// of them: a state's waste is the mean free share that is left once kFutureLength tasks, drawn
/// from the usual mix, have been offered to the node one after another and taken where they fit
/// (each fraction on the tightest device). A choice costs the waste it adds. So a device's rest is
/// judged by what combinations may still fill it, and CPU by the GPUs that would go dark without
/// it. All states see the same kFutures drawn futures, so that differences are not noise.
///
/// Two things that a node by itself cannot see are added: opening an idle node costs more the more
/// of the demand asks for several devices of a node, and devices that constrained tasks need (by
/// model or memory) cost by how much of their supply these ask for. Costs are in steps of kQuantum;
/// ties go to the lowest node, which keeps nodes in use full. See docs/adr/ for what was measured.
/// Before demand is known it chooses as BestFit. Exact: integers only.
class Lookahead final : public PlacementPolicy {
 public:
  Lookahead();

  Score score(const NodeView& node, const Request& request, std::uint64_t draw) override;
  void learn(const std::vector<DemandKind>& mix) override;
  void fleet(const Cluster& cluster) override;
  bool learns() const override { return true; }
  bool costly() const override { return !mix_.empty(); }

  static constexpr int kFutures = 16;
  static constexpr int kFutureLength = 60;
  static constexpr std::int64_t kQuantumMilli = 40;

 private:
  struct Task {
    std::int64_t cpu;
    std::int64_t cpu_least;  // of this task and those after it
    std::int32_t gpus;
    std::int16_t gpu_milli;
    std::int16_t gpu_milli_least;  // of this task and those after it
  };
  /// What of the futures concerns nodes of one shape.
  struct Outlook {
    std::array<std::vector<Task>, kFutures> futures;
    std::int16_t gpu_milli_min = 0;
    std::int64_t pressure_permille = 0;  // constrained demand by supply, on these devices
  };
  struct State {
    ShapeId shape{0xffffffff};
    CpuMilli cpu;
    std::array<std::int16_t, kGpusPerNodeMax> gpu{};
    bool operator==(const State&) const = default;
  };
  struct Known {
    State state;
    std::int64_t waste = 0;
  };

  const Outlook& outlook(const NodeView& node);
  std::int64_t pressure(const NodeView& node) const;
  std::int64_t waste(const Outlook& outlook, const NodeView& node, const Capacity& free);
  static std::int64_t run(const Outlook& outlook, std::int32_t gpus, const Capacity& free);

  std::vector<DemandKind> mix_;
  std::vector<std::uint32_t> draws_;                   // of `mix_`, kFutures times kFutureLength
  std::int64_t open_micro_ = 0;                        // of opening an idle node, a device
  std::vector<std::pair<Shape, std::int64_t>> fleet_;  // by ShapeId, with the number of nodes
  std::vector<std::optional<Outlook>> outlooks_;       // by ShapeId
  std::vector<Known> known_;                           // by hash of the state
};

}  // namespace gyre::reason
