#pragma once

#include <chrono>
#include <optional>

#include "control/driver.h"
#include "domain/demand_mix.h"
#include "observe/gauge_history.h"
#include "reason/placement/fragmentation.h"

namespace gyre::server {

/// How much of the free GPUs a typical task of those that were asked for of late cannot use, now
/// and over time. Lives on the driver's thread: read it inside a query of the inbox.
class FragmentationWatch final : public control::Observer {
 public:
  /// Takes up with `core` as it is at `now`. O(jobs + nodes).
  FragmentationWatch(const control::Controller& core, Time now);

  /// Looks once in ten seconds of the world's time at most, where something happens.
  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;

  /// As it is at `now`, and was since the latest event. O(node states), times the kinds of tasks
  /// where those have changed.
  const reason::Fragmentation::Sum& measure(const control::Controller& core, Time now);
  /// The same, or what was measured before, where measuring anew would take more than a twentieth
  /// of the thread's time.
  const reason::Fragmentation::Sum& lately(const control::Controller& core, Time now);

  const observe::GaugeHistory& gpu_milli_free() const { return free_; }
  const observe::GaugeHistory& gpu_milli_fragmented() const { return fragmented_; }

 private:
  using Clock = std::chrono::steady_clock;

  DemandMix mix_;
  std::optional<reason::Fragmentation> ruler_;  // for that mix; none: it has changed since
  reason::Fragmentation::Sum sum_;
  observe::GaugeHistory free_;
  observe::GaugeHistory fragmented_;
  Time measured_at_;
  std::optional<Time> changed_at_;  // by events since then: the latest
  Clock::time_point measured_;
  Clock::duration took_{};
};

}  // namespace gyre::server
